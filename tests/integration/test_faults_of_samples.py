"""What a real Prometheus answers when its samples are wrong, and what the loop makes of it, on virtual time.

Every workload has a load of 28, which asks for 4 replicas, until its samples go wrong after five minutes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from controller.adapters.prometheus import PrometheusSource
from controller.clients.http import HttpAccess
from policies.model import Limits, Why
from tests.integration.servers.prometheus import Series
from tests.rig import START_S, ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.prometheus import Prometheus

STEP_S = 15  # of scrapes and of ticks
TICKS = 120
FAULT_S, BACK_S = 300, 900  # after the start
FULL = 28.0


@dataclass(frozen=True)
class Played:
    """One workload at every tick: the replicas that the cluster holds, and why its reading is what it is."""

    replicas: list[int]
    why: list[Why]


def series(name: str, value: Callable[[float], float | None], **labels: str) -> Series:
    """A series of what `value` says at so many seconds after the start; no sample where it says None."""
    at_s = [STEP_S * number for number in range(-60, TICKS + 1)]
    pairs = [(START_S + each, found) for each in at_s if (found := value(each)) is not None]
    return Series(name, {"job": "app", "instance": "a", **labels}, *zip(*pairs, strict=True))


def load(value: Callable[[float], float | None], **labels: str) -> Series:
    return series("load", value, **labels)


def requests(served_s: Callable[[float], float | None], **labels: str) -> Series:
    """A counter of requests that came at the full load for so many seconds."""

    def counted(at_s: float) -> float | None:
        seconds = served_s(at_s)
        return None if seconds is None else FULL * seconds

    return series("requests_total", counted, **labels)


def always(at_s: float) -> float:
    """Seconds of a counter that never stops."""
    return at_s + 900.0


def rate(window: str) -> str:
    return f"sum by (app) (rate(requests_total[{window}]))"


def silent(at_s: float, until_s: float = BACK_S) -> bool:
    return FAULT_S < at_s < until_s


PUSHED = "load and on (app) (time() - push_time_seconds < 120)"
WORKLOADS: dict[str, tuple[str, list[Series]]] = {
    "counter-reset": (
        rate("2m"),
        [requests(lambda at_s: at_s - FAULT_S if at_s > FAULT_S else always(at_s), app="counter-reset")],
    ),
    "target-without-marker": (
        rate("10m"),
        [requests(lambda at_s: always(at_s) if at_s <= FAULT_S else None, app="target-without-marker")],
    ),
    "old-push": (
        PUSHED,
        [
            load(lambda at_s: FULL if at_s <= FAULT_S else 7.0, app="old-push"),
            series("push_time_seconds", lambda at_s: START_S + min(at_s, FAULT_S), app="old-push"),
        ],
    ),
    "pair-not-merged": (
        "paired",
        [
            series("paired", lambda at_s: FULL if at_s <= FAULT_S else 7.0, app="pair-not-merged", replica="a"),
            series("paired", lambda at_s: None if at_s <= FAULT_S else 7.0, app="pair-not-merged", replica="b"),
        ],
    ),
    "one-of-two-gone": (
        "sum by (app) (load)",
        [
            load(lambda _: FULL / 2, app="one-of-two-gone", pod="1"),
            load(lambda at_s: FULL / 2 if at_s <= FAULT_S else None, app="one-of-two-gone", pod="2"),
        ],
    ),
    "moved-in-time": (
        "sum by (app) (load offset 1m)",
        [load(lambda at_s: FULL if at_s <= FAULT_S else 7.0, app="moved-in-time")],
    ),
    "pair-summed": (
        "sum by (app) (load)",
        [
            load(lambda _: FULL, app="pair-summed", replica="a"),
            load(lambda at_s: FULL if FAULT_S < at_s < BACK_S else None, app="pair-summed", replica="b"),
        ],
    ),
    "two-jobs-summed": (
        "sum by (app) (load)",
        [
            load(lambda _: FULL, app="two-jobs-summed"),
            load(lambda at_s: FULL if FAULT_S < at_s < BACK_S else None, app="two-jobs-summed", job="other"),
        ],
    ),
    "gap": ("sum by (app) (load)", [load(lambda at_s: None if silent(at_s) else FULL, app="gap")]),
    "gap-under-a-rate": (
        rate("5m"),
        [requests(lambda at_s: None if silent(at_s) else always(at_s), app="gap-under-a-rate")],
    ),
    "reset-in-a-gap": (
        rate("5m"),
        [
            requests(
                lambda at_s: None if silent(at_s, 540) else always(at_s) if at_s <= FAULT_S else at_s - 420,
                app="reset-in-a-gap",
            )
        ],
    ),
}
CACHED = {
    f"cached-{number}": (rate("2m"), [requests(lambda at_s: always(min(at_s, FAULT_S)), app=f"cached-{number}")])
    for number in range(3)
}


@pytest.fixture(scope="module")
def recorded(_scraped_of_session: tuple[Prometheus, Exporter]) -> Prometheus:
    """The session's Prometheus with the samples of all workloads in its past."""
    server, _ = _scraped_of_session
    server.process.restore()
    server.backfill(each for _, found in (*WORKLOADS.values(), *CACHED.values()) for each in found)
    return server


@pytest.fixture(scope="module")
def played(recorded: Prometheus) -> dict[str, Played]:
    return asyncio.run(play(recorded, WORKLOADS))


async def play(prometheus: Prometheus, workloads: dict[str, tuple[str, list[Series]]]) -> dict[str, Played]:
    """Let one loop decide for these workloads, half an hour long."""
    listed = [
        policy(name, signals=[demand(query)], forecast={"enabled": False}) for name, (query, _) in workloads.items()
    ]
    async with PrometheusSource(HttpAccess(prometheus.url)) as source:
        limits = Limits(removal_ratio=1.0, mass_drop=True)
        world = Rig(ListedPolicies(listed), limits=limits, replicas=4, reads=source)
        found: dict[str, Played] = {name: Played([], []) for name in workloads}
        for _ in range(TICKS):
            await world.ticks()
            report = world.last()
            for uid, code in zip(report.fleet.uid, report.decision.readings.why, strict=True):
                name = uid.removeprefix("shop/")
                found[name].replicas.append(world.scale_of(name))
                found[name].why.append(Why(code))
    return found


def demand(query: str) -> dict[str, object]:
    return {"name": "load", "kind": "demand", "query": query, "match": {"app": "$name"}, "capacityPerReplica": 10}


def in_order(why: Sequence[Why]) -> list[Why]:
    """What was told, without repetitions."""
    return [each for number, each in enumerate(why) if number == 0 or why[number - 1] != each]


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        pytest.param("counter-reset", [Why.OK], id="a-counter-that-begins-anew"),
        pytest.param(
            "target-without-marker",
            [Why.OK, Why.TOO_OLD, Why.NO_SERIES],
            id="a-target-that-dies-under-a-rate-without-a-marker",
        ),
        pytest.param("old-push", [Why.OK, Why.NO_SERIES], id="a-push-of-long-ago"),
        pytest.param("pair-not-merged", [Why.OK, Why.AMBIGUOUS], id="both-series-of-a-pair"),
        pytest.param("moved-in-time", [Why.UNKNOWN_FRESHNESS], id="samples-whose-age-nobody-can-tell"),
        pytest.param("one-of-two-gone", [Why.OK, Why.PARTIAL_SERIES], id="one-of-two-series-is-gone"),
    ],
)
def test_wrong_samples_lower_nothing(played: dict[str, Played], workload: str, told: list[Why]) -> None:
    assert in_order(played[workload].why) == told
    assert Counter(played[workload].replicas) == {4: TICKS}


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        pytest.param("gap", [Why.OK, Why.TOO_OLD, Why.NO_SERIES, Why.OK], id="a-gauge"),
        pytest.param(
            "gap-under-a-rate", [Why.OK, Why.TOO_OLD, Why.NO_SERIES, Why.OK], id="a-rate-that-fills-its-range-anew"
        ),
        pytest.param("reset-in-a-gap", [Why.OK, Why.TOO_OLD, Why.OK], id="a-counter-that-began-anew-in-the-gap"),
    ],
)
def test_the_same_load_after_a_gap_asks_for_the_same_replicas(
    played: dict[str, Played], workload: str, told: list[Why]
) -> None:
    # Prometheus does not extrapolate over a range of which it has seen a part: the rate climbs to 28 in five minutes,
    # which are the window of 300 s that begins anew after the gap.
    assert in_order(played[workload].why) == told
    assert Counter(played[workload].replicas) == {4: TICKS}


def test_a_sum_over_both_series_of_a_pair_raises_and_falls_back_when_one_goes(played: dict[str, Played]) -> None:
    assert in_order(played["pair-summed"].why) == [Why.OK, Why.SATURATED, Why.OK]  # until 8 are ready
    replicas = played["pair-summed"].replicas
    assert (replicas[FAULT_S // STEP_S], max(replicas), replicas[-1]) == (4, 8, 4)


def test_a_sum_over_two_jobs_raises_and_is_held_when_one_goes(played: dict[str, Played]) -> None:
    assert in_order(played["two-jobs-summed"].why) == [Why.OK, Why.SATURATED, Why.OK, Why.PARTIAL_SERIES]
    replicas = played["two-jobs-summed"].replicas
    assert (replicas[FAULT_S // STEP_S], max(replicas), replicas[-1]) == (4, 8, 8)


def test_counters_that_a_cache_serves_as_new_lower_nothing_where_they_are_many(recorded: Prometheus) -> None:
    # Their rates fall to nothing within the range of two minutes, all at once.
    for found in asyncio.run(play(recorded, CACHED)).values():
        assert in_order(found.why) == [Why.OK, Why.MASS_DROP]
        assert Counter(found.replicas) == {4: TICKS}


def test_a_counter_that_a_cache_serves_as_new_is_believed_where_it_is_alone(recorded: Prometheus) -> None:
    # Nobody can tell it from a load that ended: what there is then is the window of 300 s.
    [found] = asyncio.run(play(recorded, {"cached-0": CACHED["cached-0"]})).values()
    assert in_order(found.why) == [Why.OK]
    held = found.replicas.index(1) * STEP_S - FAULT_S
    assert held >= 300

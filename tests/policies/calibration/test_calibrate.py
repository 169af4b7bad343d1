"""Calibration of servers whose curve is known, and what is told when the history is not what one would wish."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.calibration.calibrate import Basis, Calibration, Declared, calibrate
from policies.calibration.declaring import declaration
from policies.calibration.estimates import Interval
from policies.calibration.history import History, Latencies, usable
from policies.calibration.objective import LatencyObjective
from tests.policies.calibration.servers import Server, daily_load, joined

if TYPE_CHECKING:
    from policies.arrays import FloatArray

WINDOWS = 4_320  # three days
SERVER = Server()
OBJECTIVE = LatencyObjective.parse("itl=30ms@p95")
LIMIT = SERVER.limit_per_s(0.03, 0.95)  # 1234 tokens a second


def load(seed: int = 3, mean: float = 900.0) -> FloatArray:
    return daily_load(mean, 0.5, windows=WINDOWS, seed=seed)


def seen(server: Server = SERVER, **more: Any) -> History:  # noqa: ANN401 - what a history is made of
    return server.history(more.pop("load", load()), seed=4, **more)


def codes(found: Calibration) -> list[str]:
    return [each.code for each in found.findings]


def test_curve_and_limit_of_a_known_server() -> None:
    found = calibrate(seen(), [OBJECTIVE])

    assert found.basis is Basis.ITL
    assert found.curve is not None
    for told, truth in ((found.curve.base(), 0.012), (found.curve.each(), 0.0003)):
        assert told.low is not None
        assert told.high is not None
        assert told.low < truth < told.high
        assert told.high - told.low < 0.12 * truth
    low, high = found.serving.low, found.serving.high
    assert low is not None
    assert high is not None
    assert low < LIMIT < high
    assert high - low < 0.06 * LIMIT
    assert codes(found) == []


def test_requests_in_flight_tell_the_curve_where_there_is_no_histogram() -> None:
    found = calibrate(replace(seen(), latencies=()), [])

    assert found.basis is Basis.IN_FLIGHT
    assert found.curve is not None
    assert found.curve.base_s == pytest.approx(0.012, rel=0.02)
    assert codes(found) == ["not_identifiable"]


def test_a_histogram_that_stays_empty_is_passed_over() -> None:
    """As that between tokens is on a server whose answers are not streamed."""
    history = seen()
    empty = tuple(
        Latencies(each.kind, each.bounds_s, 0.0 * each.below_per_s, 0.0 * each.sum_ratio) for each in history.latencies
    )

    assert calibrate(replace(history, latencies=empty), []).basis is Basis.IN_FLIGHT
    nothing = np.zeros(history.at_s.size)
    assert calibrate(replace(history, latencies=empty, in_flight=nothing), []).basis is None


def test_a_limit_beyond_what_was_seen_is_not_invented() -> None:
    objective = LatencyObjective.parse("itl=100ms@p95")
    found = calibrate(seen(), [objective])

    (kept,) = found.kept
    assert kept.limit.interval.value is None
    assert kept.limit.interval.low == found.highest
    assert kept.extrapolated is not None
    assert kept.extrapolated > found.highest
    assert found.findings[-1].message.startswith(
        f"itl=100ms@p95: not identifiable: the highest load seen was {found.highest:.4g} per replica"
    )
    told = declaration(found)
    assert told is not None
    assert told.at_least
    assert told.capacity <= found.highest


def test_an_objective_that_was_never_kept_has_a_limit_below_all_loads() -> None:
    found = calibrate(seen(), [LatencyObjective.parse("itl=10ms@p95")])

    assert found.kept[0].limit.interval.value is None
    assert found.kept[0].limit.interval.low is None
    assert codes(found) == ["beyond_objective"]
    assert declaration(found) is None


def test_a_load_that_hardly_varies_tells_no_curve() -> None:
    found = calibrate(seen(load=np.full(WINDOWS, 900.0)), [])

    assert found.curve is None
    assert codes(found) == ["no_curve", "not_identifiable"]


def test_a_new_version_in_the_middle_is_seen_and_only_it_is_used() -> None:
    slower = Server(base_s=0.0135)
    early, late = SERVER.history(load()[:2_200], seed=4), slower.history(load()[2_200:], seed=5)
    found = calibrate(joined(early, late), [OBJECTIVE])

    assert codes(found) == ["changed"]
    assert found.span_s[0] == pytest.approx(early.at_s[-1], abs=7_200)
    assert found.curve is not None
    assert found.curve.base_s == pytest.approx(0.0135, rel=0.03)


def test_pods_that_differ_are_told_apart() -> None:
    names = ("pod-a", "pod-b", "pod-c")
    parts = [
        Server(base_s=0.018 if name == "pod-c" else 0.012).history(load(), replicas=1.0, seed=row)
        for row, name in enumerate(names)
    ]
    found = calibrate(joined(*parts, groups=names), [])

    (odd,) = [each for each in found.findings if each.code == "groups_differ"]
    assert "pod-c +" in odd.message
    assert "pod-a" not in odd.message


def test_missing_stale_and_unsettled_windows_are_left_out_and_counted() -> None:
    history = seen()
    served, replicas = history.served_per_s.copy(), history.replicas.copy()
    latencies = history.latencies[0]
    below, sums = latencies.below_per_s.copy(), latencies.sum_ratio.copy()
    served[100:400] = np.nan
    served[1_000:1_100], below[1_000:1_100], sums[1_000:1_100] = served[999], below[999], sums[999]
    replicas[2_000:] = 5.0
    history = replace(
        history,
        served_per_s=served,
        replicas=replicas,
        latencies=(Latencies(latencies.kind, latencies.bounds_s, below, sums),),
    )
    _, left = usable(history)

    assert (left.missing, left.stale, left.idle) == (300, 100, 0)
    assert left.unsettled == 4  # the one before the change, the one of it, and two after
    assert "windows_left_out" in codes(calibrate(history, []))


def test_saturation_is_what_was_served_while_requests_waited() -> None:
    """Replicas that serve 1500 at most, each for an hour a day."""
    history, waiting = seen(), np.zeros(WINDOWS)
    served = history.served_per_s.copy()
    rng = np.random.default_rng(1)
    for day in range(3):
        rows = slice(1440 * day + 300, 1440 * day + 360)
        served[rows] = 4 * 1500 * rng.normal(1, 0.02, 60)
        waiting[rows] = 40.0
    found = calibrate(replace(history, served_per_s=served, waiting=waiting), [], Declared(2_000, 0.8))

    assert found.saturated_windows == 3 * 58  # without the first and the last of each
    assert found.saturated.value == pytest.approx(1500, rel=0.01)
    assert codes(found) == ["capacity_contradicted"]
    told = declaration(found)
    assert told is not None
    assert 1_480 <= told.capacity <= 1_510


def test_what_was_refused_is_load_and_late() -> None:
    """All above 1100 is refused from there on: no token is late, and the limit is there all the same."""
    calm = Server(spread=0.05, noise=0.02)
    history = calm.history(np.minimum(load(), 1_100.0), seed=4)
    refused = np.maximum(load() - 1_100.0, 0.0) * 4
    found = calibrate(replace(history, rejected_per_s=refused), [LatencyObjective.parse("itl=75ms@p95")])

    # 5 % of the load are refused at 1100 / 0.95.
    assert found.serving.value == pytest.approx(1_158, rel=0.02)
    assert "rejections" in codes(found)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(Declared(2_500, 0.8), ["limit_contradicted"], id="too-high"),
        pytest.param(Declared(1_540, 0.8), [], id="as-seen"),
        pytest.param(Declared(1_000, 0.8), ["declared_low"], id="lower-than-it-could-be"),
    ],
)
def test_a_declared_capacity_is_held_against_what_was_seen(declared: Declared, expected: list[str]) -> None:
    """1540 at 0.8 are 1232 in time; the limit is 1234."""
    found = calibrate(seen(), [OBJECTIVE], declared)

    assert codes(found) == expected
    assert [each.contradicts for each in found.findings] == [code == "limit_contradicted" for code in expected]


def test_what_to_declare_comes_with_its_evidence() -> None:
    told = declaration(calibrate(seen(), [OBJECTIVE]))

    assert told is not None
    assert told.serving_limit == 1
    assert told.capacity == pytest.approx(LIMIT, rel=0.03)
    first, second = told.text.splitlines()
    assert first.startswith(f"capacityPerReplica: {told.capacity:g}  # measured, 95 % interval ")
    assert second.startswith("servingLimit: 1  # of the objective: ")


def test_an_objective_without_its_histogram_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"ttft=1s@p95: the history has no histogram of ttft \(it has itl\)"):
        calibrate(seen(), [LatencyObjective.parse("ttft=1s@p95")])


def test_nothing_to_learn_from_is_an_error_that_says_why() -> None:
    history = seen()
    with pytest.raises(ValueError, match=r"none of 4320 windows can be used: 4320 without load"):
        calibrate(replace(history, served_per_s=np.zeros(WINDOWS)), [])


def test_the_order_and_the_unit_of_loads_change_nothing() -> None:
    """Twice the throughput's unit is twice the limit: the latency's events keep their own."""
    history = seen()
    single, double = (
        calibrate(history, [OBJECTIVE]),
        calibrate(replace(history, served_per_s=2 * history.served_per_s), [OBJECTIVE]),
    )

    assert single.serving.value is not None
    assert double.serving.value == pytest.approx(2 * single.serving.value, rel=1e-6)


def test_the_serving_limit_is_that_of_the_objective_that_ends_first() -> None:
    loose = LatencyObjective.parse("itl=40ms@p95")
    found = calibrate(seen(), [loose, OBJECTIVE])

    assert found.serving.value == found.kept[1].limit.interval.value
    assert found.serving.low == found.kept[1].limit.interval.low
    unknown = replace(found.kept[0], limit=replace(found.kept[0].limit, interval=Interval(1_300.0, None, 1_400.0)))
    assert replace(found, kept=(unknown, found.kept[1])).serving.low is None

"""Which missing scrape targets make a value a lower bound, and what outlives edits, quarantines and restarts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.collect import Collector
from controller.collect.collector import News
from controller.collect.coverage import FOLLOWS_S, REMEMBERED_S, Coverage
from controller.collect.questions import target_of
from controller.records import Answered, ClusterView, PodView, PolicySet, SignalQuery, TargetRef, TargetView
from policies.fleet import fleet_of
from policies.model import UNKNOWN, Readings, Status, Why
from policies.packing import pack
from policies.snapshot import observation_from
from tests.builders import NOW_S, demand, policy, pressure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import Answer, PastSeries
    from policies.model import Observation
    from policies.spec import WorkloadPolicy

WEB = policy("web", {**demand(), "match": {"app": "$name"}})
API = policy("api", {**pressure(average=5), "match": {"app": "$name"}})
ASKED = (SignalQuery("load", ("app",)), ("web",), TargetRef("apps/v1", "Deployment", "shop", "web"))
DAY_S, HOUR_S = 86_400, 3600

Look = tuple[float, int, int]  # seconds since the start, scrape targets, ready pods


def looked(coverage: Coverage, *looks: Look, listed: int = 0) -> list[bool]:
    """Whether each look finds targets gone; as many pods are listed as are ready, or `listed`."""
    return [
        bool(coverage.lacking(np.array([targets]), np.array([[ready], [listed or ready]]), NOW_S + at_s)[0])
        for at_s, targets, ready in looks
    ]


@pytest.mark.parametrize(
    ("looks", "lacking"),
    [
        pytest.param([(0, 6, 6), (15, 5, 6)], [False, True], id="a-target-gone-beside-ready-pods"),
        pytest.param([(0, 6, 6), (15, 5, 6), (30, 6, 6)], [False, True, False], id="back-again"),
        pytest.param([(0, 6, 6), (15, 6, 3), (30, 3, 3)], [False, False, False], id="pods-scaled-down"),
        pytest.param([(0, 6, 6), (15, 6, 10), (60, 10, 10)], [False, False, False], id="new-pods-not-scraped-yet"),
        pytest.param([(0, 10, 2), (15, 5, 2)], [False, True], id="half-of-a-gateway-larger-than-the-workload"),
        pytest.param([(0, 10, 4), (15, 10, 2), (30, 9, 2)], [False, False, False], id="unsure-while-pods-go"),
        pytest.param(
            [(0, 10, 4), (15, 10, 2), (616, 10, 2), (1300, 10, 2), (1315, 9, 2)],
            [False, False, False, False, True],
            id="sure-again-when-pods-have-gone",
        ),
        pytest.param([(0, 12, 6), (15, 10, 5)], [False, False], id="two-targets-a-pod-scaled-down"),
        pytest.param([(0, 12, 6), (15, 11, 6)], [False, True], id="one-of-two-targets-of-a-pod-gone"),
        pytest.param([(0, 6, 6), (15, 5, 0)], [False, True], id="no-ready-pod-explains-nothing"),
        pytest.param([(0, 6, 6), (600, 5, 6), (2 * HOUR_S, 5, 6)], [False, True, True], id="no-time-makes-it-whole"),
        pytest.param(
            [(0, 6, 6), (15, 5, 6), (DAY_S, 5, 6), (DAY_S + 15, 5, 6), (DAY_S + 30, 4, 6)],
            [False, True, True, False, True],
            id="but-a-day-does",
        ),
        pytest.param([(0, 0, 0), (15, 3, 0)], [False, False], id="first-targets"),
    ],
)
def test_coverage(looks: list[Look], lacking: list[bool]) -> None:
    coverage = Coverage()
    coverage.follow([ASKED])

    assert looked(coverage, *looks) == lacking
    assert (REMEMBERED_S, FOLLOWS_S) == (DAY_S, 600)


def test_scrapes_that_follow_their_pods_slowly_are_never_partial() -> None:
    """From 40 pods to 4, one a tick or one in five minutes, the scrapes always five minutes behind."""
    for every in (1, 7, 20, 60):
        coverage = Coverage()
        coverage.follow([ASKED])
        pods = [max(4, 40 - tick // every) for tick in range(41 * every + 400)]
        looks = [(15.0 * tick, pods[max(0, tick - 20)], ready) for tick, ready in enumerate(pods)]

        assert not any(looked(coverage, *looks)), every
        assert looked(coverage, (15.0 * len(pods), 3, 4)) == [True]


def test_pods_of_a_rollout_that_were_scraped_before_they_were_ready_explain_their_targets() -> None:
    coverage = Coverage()
    coverage.follow([ASKED])

    assert looked(coverage, (0, 6, 6), listed=6) == [False]
    assert looked(coverage, (15, 8, 6), listed=8) == [False]
    assert looked(coverage, (30, 6, 6), listed=6) == [False]
    assert looked(coverage, (45, 5, 6), listed=6) == [True]


class NoSource:
    """Never asked: the answers are given."""

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        raise AssertionError(queries, at_s, deadline_s)

    async def past(self, query: SignalQuery, **_: float) -> Sequence[PastSeries]:
        raise AssertionError(query)


@dataclass
class World:
    """A collector with its policies, whose workloads have so many ready pods each."""

    rows: Sequence[WorkloadPolicy]
    now_s: float = NOW_S
    collector: Collector = field(default_factory=lambda: Collector(NoSource()))

    def __post_init__(self) -> None:
        self.prepare(*self.rows)

    def prepare(self, *rows: WorkloadPolicy) -> None:
        """Other policies from now on."""
        self.rows = rows
        self.collector.prepare(PolicySet(rows))

    def look(self, targets: int | None, ready: int = 6) -> Observation:
        """A tick later, with so many targets behind each series."""
        self.now_s += 15
        refs = [target_of(row) for row in self.rows]
        pods = tuple(PodView(f"{pod}", "Running", False, True, 0.0, 5.0, 40.0) for pod in range(ready))  # noqa: FBT003
        view = ClusterView({ref: TargetView(ref, 6, 6, "7") for ref in refs}, dict.fromkeys(refs, pods), self.now_s)
        answers = []
        for group in self.collector.questions.groups:
            newest = dict.fromkeys(group.keys, self.now_s)
            told = None if targets is None else dict.fromkeys(group.keys, targets)
            answers.append(Answered(group.query, group.keys, [3.0] * len(group.keys), newest, told))
        return self.collector.observation(fleet_of(self.rows), answers, view, self.now_s, News())


def why(read: Readings) -> list[Why]:
    return [Why(code) for code in read.why]


def test_a_value_of_fewer_targets_is_a_lower_bound() -> None:
    world = World([WEB])

    assert why(world.look(6).readings) == [Why.OK]
    partial = world.look(3).readings
    assert why(partial) == [Why.PARTIAL_SERIES]
    assert partial.status.tolist() == [Status.CENSORED]
    assert partial.targets.tolist() == [6]


def test_an_edit_of_other_policies_forgets_nothing() -> None:
    world = World([WEB])
    world.look(6)
    world.prepare(API, replace_min(WEB))

    assert why(world.look(3).readings) == [Why.OK, Why.PARTIAL_SERIES]


def test_what_is_not_asked_any_more_is_forgotten() -> None:
    world = World([API, WEB])
    world.look(6)
    world.prepare(API)
    world.prepare(API, WEB)

    assert why(world.look(3).readings) == [Why.PARTIAL_SERIES, Why.OK]


def replace_min(row: WorkloadPolicy) -> WorkloadPolicy:
    spec = row.spec.model_copy(update={"replicas": row.spec.replicas.model_copy(update={"min": 2})})
    return row.model_copy(update={"spec": spec})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([(6, 6)], (3, 6), Why.PARTIAL_SERIES, id="half-gone-in-between"),
        pytest.param([(6, 6), (3, 6)], (3, 6), Why.PARTIAL_SERIES, id="half-gone-before"),
        pytest.param([(6, 6), (None, 6)], (3, 6), Why.PARTIAL_SERIES, id="the-witness-failed-before"),
        pytest.param([(6, 6)], (3, 3), Why.OK, id="scaled-down-in-between"),
        pytest.param([(6, 6), (6, 3)], (3, 3), Why.OK, id="scaled-down-just-before"),
        pytest.param([(6, 6)], (6, 12), Why.OK, id="scaled-up-in-between"),
        pytest.param([(None, 6)], (3, 6), Why.OK, id="nothing-known"),
        pytest.param([(6, 0)], (3, 6), Why.OK, id="no-pods-to-compare-with"),
    ],
)
def test_a_restart_remembers(before: list[tuple[int | None, int]], after: tuple[int, int], expected: Why) -> None:
    old, new = World([WEB]), World([API, WEB])
    seen = [old.look(*look) for look in before][-1]
    new.now_s = old.now_s + 60
    new.collector.recall(fleet_of([WEB]), observation_from(pack(seen)))

    assert why(new.look(*after).readings) == [Why.OK, expected]


def test_what_is_known_since_a_restart_is_not_overwritten() -> None:
    old, new = World([WEB]), World([WEB])
    seen = old.look(6)
    new.look(3)
    new.collector.recall(fleet_of([WEB]), seen)

    assert why(new.look(3).readings) == [Why.OK]
    assert World([WEB]).look(None).readings.targets.tolist() == [UNKNOWN]

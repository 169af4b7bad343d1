"""From answers and a view of the cluster to an observation: samples by pod, start-ups, holds, pods per replica."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.collect import Collector
from controller.collect.collector import News
from controller.collect.questions import target_of
from controller.records import (
    Answer,
    Answered,
    ClusterView,
    ContainerRequest,
    Outcome,
    PodView,
    PolicySet,
    ScaleOrder,
    SignalQuery,
    TargetView,
    Unanswered,
)
from policies.fleet import fleet_of
from policies.model import UNKNOWN, Hold, Mode, Status, Why
from policies.packing import pack
from tests.builders import FREE, NOW_S, demand, late, policy, pressure, requested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.model import Observation
    from policies.spec import WorkloadPolicy

CPU = (ContainerRequest("main", 500, None),)


@dataclass
class Answers:
    """A metrics source that says the same to every query of a text."""

    by_text: dict[str, Answered | Unanswered]
    asked: list[str] = field(default_factory=list)

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        self.asked += [f"{query.text} at {at_s:g} within {deadline_s:g}" for query in queries]
        return [self.by_text[query.text] for query in queries]

    async def past(self, query: SignalQuery, **_: float) -> Sequence[Any]:
        raise AssertionError(query)


def pod(name: str, **more: Any) -> PodView:  # noqa: ANN401 - fields of a pod
    """A pod that took 40 s to become ready, an hour ago."""
    created = NOW_S - 3600
    ready = PodView(name, "Running", False, True, created, created + 5, created + 40, CPU)  # noqa: FBT003
    return replace(ready, **more)


def view_of(rows: Sequence[WorkloadPolicy], *pods: PodView, replicas: int = 2, **more: Any) -> ClusterView:  # noqa: ANN401
    """Every target with these pods; `more` are fields of the targets, or `killed` and `seen_at_s` of the view."""
    whole = {name: more.pop(name) for name in ("killed", "seen_at_s") if name in more}
    refs = [target_of(row) for row in rows]
    targets = {ref: replace(TargetView(ref, replicas, replicas, "7"), **more) for ref in refs}
    view = ClusterView(targets, dict.fromkeys(refs, pods), NOW_S)
    return replace(view, **whole)


@dataclass
class World:
    """A collector with its policies."""

    rows: Sequence[WorkloadPolicy]
    answers: dict[str, Answered | Unanswered] = field(default_factory=dict)
    collector: Collector = field(init=False)

    def __post_init__(self) -> None:
        self.collector = Collector(Answers(self.answers))
        self.collector.prepare(PolicySet(tuple(self.rows)))

    def look(self, view: ClusterView, now_s: float = NOW_S, news: News | None = None) -> Observation:
        fleet = fleet_of(self.rows, FREE)
        queries = self.collector.questions.queries
        answers = [self.answers.get(query.text, Unanswered(query, Why.SOURCE_DOWN, "no answer")) for query in queries]
        return self.collector.observation(fleet, answers, view, now_s, news or News())


def test_queries_of_equal_text_are_asked_once() -> None:
    rows = [policy(name, {**demand(), "match": {"app": "$name"}}) for name in ("b", "a")]
    world = World(rows)

    assert world.collector.questions.queries == (SignalQuery("load", ("app",)),)
    assert [place.key for place in world.collector.questions.places] == [("a",), ("b",)]


async def test_answers_come_from_the_source_in_order() -> None:
    query = SignalQuery("load")
    source = Answers({"load": Unanswered(query, Why.DEADLINE, "no answer within 5 s")})
    collector = Collector(source)
    collector.prepare(PolicySet((policy(),)))
    answers = await collector.ask(at_s=NOW_S, deadline_s=5.0)

    assert source.asked == [f"load at {NOW_S:g} within 5"]
    assert collector.problems(answers) == ("load: no answer within 5 s",)


def test_samples_by_pod() -> None:
    """A pod with a sample, one without, one without a request, and a sample whose pod is not listed."""
    query = SignalQuery("cpu", (), per_pod=True)
    answer = Answered(query, (("a",), ("c",), ("gone",)), (0.25, 0.5, 9.0), {(): NOW_S - 20}, None)
    rows = [policy("web", requested())]
    bare = pod("c", containers=(ContainerRequest("main", None, None),))
    found = World(rows, {"cpu": answer}).look(view_of(rows, pod("a"), pod("b"), bare)).samples

    assert found.pod.tolist() == [0, 1, 2, UNKNOWN]
    assert found.present.tolist() == [True, False, True, True]
    assert found.value_milli.tolist() == [250, 0, 500, 9000]
    assert found.request_milli.tolist() == [500, 500, UNKNOWN, UNKNOWN]
    assert found.age_s.tolist() == [20.0] * 4
    assert found.track.tolist() == [0] * 4


def test_a_sample_is_without_a_pod_for_each_track_whose_pods_it_is_none_of() -> None:
    """Two workloads read one answer that does not tell them apart."""
    query = SignalQuery("queue", (), per_pod=True)
    answer = Answered(query, (("x",), ("y",)), (3.0, 4.0), {(): NOW_S}, None)
    rows = [policy("a", pressure(average=5, per_pod=True)), policy("b", pressure(average=5, per_pod=True))]
    view = view_of(rows)
    view = replace(view, pods=dict(zip(view.targets, [(pod("x"),), (pod("y"), pod("z"))], strict=True)))
    found = World(rows, {"queue": answer}).look(view)

    assert found.samples.track.tolist() == [0, 0, 1, 1, 1]
    assert found.samples.pod.tolist() == [0, UNKNOWN, 1, 2, UNKNOWN]
    assert found.samples.value_milli.tolist() == [3000, 4000, 4000, 0, 3000]
    assert found.readings.value_milli.tolist() == [7000, 7000]


def test_two_series_of_a_pod_are_added_and_said_to_be_ambiguous() -> None:
    query = SignalQuery("queue", (), per_pod=True)
    answer = Answered(query, (("x",), ("x",)), (3.0, 4.0), {(): NOW_S}, None)
    rows = [policy("a", pressure(average=5, per_pod=True))]
    found = World(rows, {"queue": answer}).look(view_of(rows, pod("x")))

    assert found.samples.value_milli.tolist() == [7000]
    assert found.readings.why.tolist() == [Why.AMBIGUOUS]


@pytest.mark.parametrize(
    ("share", "value_milli", "status"),
    [
        pytest.param(0.000_02, 20, Status.FRESH, id="in-millionths"),
        pytest.param(1.0, 1_000_000, Status.FRESH, id="all-of-them"),
        pytest.param(35.0, 0, Status.MISSING, id="per-cent-is-no-share"),
        pytest.param(-1e-9, 0, Status.MISSING, id="nor-is-less-than-nothing"),
        pytest.param(float("nan"), 0, Status.MISSING, id="no-requests-are-not-told"),
    ],
)
def test_a_late_signal_is_read_as_a_share(share: float, value_milli: int, status: Status) -> None:
    rows = [policy("a", late(), demand())]
    found = (
        World(rows, {"slow": answered("slow", share), "load": answered("load", 7.0)})
        .look(view_of(rows, pod("a")))
        .readings
    )

    assert found.value_milli.tolist() == [value_milli, 7000]
    assert found.status.tolist() == [status, Status.FRESH]


def answered(text: str, value: float) -> Answered:
    """A fresh answer of one series to a query."""
    return Answered(SignalQuery(text), ((),), (value,), {(): NOW_S}, None)


def test_only_what_changed_is_looked_at_again() -> None:
    """A later look at other pods of one workload is as a first look at them."""
    rows = [policy("a", requested()), policy("b", requested())]
    query = SignalQuery("cpu", (), per_pod=True)
    world = World(rows, {"cpu": Answered(query, (("x",), ("y",)), (0.3, 0.4), {(): NOW_S}, None)})
    first = view_of(rows, pod("x"))
    world.look(first)
    later = replace(first, pods={**first.pods, target_of(rows[1]): (pod("y"), pod("z", ready=False))})
    found, fresh = world.look(later), World(rows, world.answers).look(later)

    assert pack(found.pods) == pack(fresh.pods)
    assert pack(found.samples) == pack(fresh.samples)


def test_rows_of_pods_count_over_all_lanes() -> None:
    query = SignalQuery("queue", (), per_pod=True)
    answer = Answered(query, (("x",),), (3.0,), {(): NOW_S}, None)
    rows = [policy("a"), policy("b", pressure(average=5, per_pod=True))]
    found = World(rows, {"queue": answer}).look(view_of(rows, pod("w"), pod("x")))

    assert found.pods.lane.tolist() == [0, 0, 1, 1]
    assert found.samples.track.tolist() == [1, 1]
    assert found.samples.pod.tolist() == [2, 3]
    assert found.samples.present.tolist() == [False, True]


def test_start_ups_are_learned_at_first_sight_and_when_a_pod_becomes_ready() -> None:
    rows = [policy()]
    world = World(rows)
    old = pod("slow", transition_at_s=NOW_S - 3600 + 4000, ready=True)  # took longer than a first sight believes
    new = pod("new", ready=False, created_at_s=NOW_S - 30, transition_at_s=NOW_S - 29)
    first = world.look(view_of(rows, pod("a"), old, new)).starts
    ready = replace(new, ready=True, transition_at_s=NOW_S + 10)
    second = world.look(view_of(rows, pod("a"), old, ready), NOW_S + 15).starts
    third = world.look(view_of(rows, pod("a"), old, ready), NOW_S + 30).starts

    assert (first.duration_s.tolist(), first.finished.tolist()) == ([40.0, 30.0], [True, False])
    assert (second.duration_s.tolist(), second.finished.tolist()) == ([40.0], [True])
    assert third.lane.size == 0


def test_a_pod_that_started_between_two_looks_is_learned() -> None:
    rows = [policy()]
    world = World(rows)
    world.look(view_of(rows))
    quick = pod("quick", created_at_s=NOW_S + 2, transition_at_s=NOW_S + 9)
    found = world.look(view_of(rows, quick), NOW_S + 15).starts

    assert (found.duration_s.tolist(), found.finished.tolist()) == ([7.0], [True])


def test_a_pod_that_stopped_being_ready_for_a_while_is_no_start_up() -> None:
    rows = [policy()]
    world = World(rows)
    world.look(view_of(rows, pod("a")))
    fallen = pod("a", ready=False, transition_at_s=NOW_S + 5)
    back = pod("a", transition_at_s=NOW_S + 20)

    assert world.look(view_of(rows, fallen), NOW_S + 15).starts.lane.size == 0
    assert world.look(view_of(rows, back), NOW_S + 30).starts.lane.size == 0
    assert World(rows).look(view_of(rows, fallen), NOW_S + 15).starts.lane.size == 0


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(pod("b", ready=False, deleted=True), id="a-pod-being-deleted"),
        pytest.param(pod("b", ready=False, phase="Failed"), id="a-failed-pod"),
        pytest.param(pod("b", ready=False, phase="Succeeded"), id="a-finished-pod"),
    ],
)
def test_a_pod_that_goes_is_not_starting(gone: PodView) -> None:
    rows = [policy()]

    assert World(rows).look(view_of(rows, gone)).starts.lane.size == 0


def of_kind(kind: str) -> WorkloadPolicy:
    """A policy of a target of this kind."""
    row = policy()
    return row.model_copy(
        update={"spec": row.spec.model_copy(update={"target": row.spec.target.model_copy(update={"kind": kind})})}
    )


def test_pods_of_a_replica_are_counted_while_nothing_starts_or_goes() -> None:
    rows = [of_kind("LeaderWorkerSet")]
    world = World(rows)
    eight = [pod(name) for name in "abcdefgh"]
    settled = world.look(view_of(rows, *eight))
    starting = world.look(view_of(rows, *eight, pod("i", ready=False), replicas=3))

    assert settled.pods_per_replica.tolist() == [4]
    assert starting.pods_per_replica.tolist() == [4]
    assert World(rows).look(view_of(rows, pod("a"), replicas=0)).pods_per_replica.tolist() == [1]


def test_what_a_replica_is_outlives_policies_and_a_restart() -> None:
    rows = [of_kind("LeaderWorkerSet")]
    world, later = World(rows), World(rows)
    world.look(view_of(rows, *[pod(name) for name in "abcdefgh"]))
    world.collector.prepare(PolicySet((policy("a"), *rows)))
    world.rows = (policy("a"), *rows)
    later.collector.workloads.recall({target_of(rows[0]): 4}, NOW_S)

    assert world.look(view_of(world.rows)).pods_per_replica.tolist() == [1, 4]
    assert later.look(view_of(rows)).pods_per_replica.tolist() == [4]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"])
def test_a_canary_beside_one_replica_makes_no_replica_of_two_pods(kind: str) -> None:
    rows = [of_kind(kind)]
    world = World(rows)
    world.collector.workloads.recall({target_of(rows[0]): 2}, NOW_S)  # learned by an earlier version

    assert world.look(view_of(rows, pod("web"), pod("canary"), replicas=1)).pods_per_replica.tolist() == [1]


def test_a_reported_count_behind_the_wanted_one_says_nothing_of_a_replica() -> None:
    """Eight ready pods beside a status of four replicas, as two watches may show a rise to eight."""
    rows = [of_kind("LeaderWorkerSet")]
    eight = [pod(name) for name in "abcdefgh"]

    assert World(rows).look(view_of(rows, *eight, replicas=8, status_replicas=4)).pods_per_replica.tolist() == [1]


@pytest.mark.parametrize(
    ("mode", "more", "expected"),
    [
        pytest.param("active", {}, Hold.NONE, id="nothing-holds"),
        pytest.param("active", {"paused": True}, Hold.ANNOTATION, id="the-annotation"),
        pytest.param("active", {"owner": "HPA web"}, Hold.OWNED, id="an-owner-in-active-mode"),
        pytest.param("shadow", {"owner": "HPA web"}, Hold.NONE, id="an-owner-is-no-matter-in-shadow-mode"),
        pytest.param("floor", {"owner": "HPA web"}, Hold.NONE, id="an-owner-is-the-actor-in-floor-mode"),
        pytest.param("active", {"problem": "not found"}, Hold.NO_TARGET, id="a-target-that-cannot-be-read"),
        pytest.param("active", {"seen_at_s": NOW_S - 120}, Hold.NONE, id="watches-quiet-for-two-minutes"),
        pytest.param("active", {"seen_at_s": NOW_S - 121}, Hold.CLUSTER_DOWN, id="watches-silent-for-longer"),
        pytest.param("active", {"killed": "file", "owner": "HPA web"}, Hold.KILL_SWITCH, id="the-kill-switch-first"),
        pytest.param("shadow", {"killed": "file"}, Hold.KILL_SWITCH, id="the-kill-switch-in-any-mode"),
    ],
)
def test_holds(mode: str, more: dict[str, Any], expected: Hold) -> None:
    rows = [policy(mode=mode)]

    assert Hold(World(rows).look(view_of(rows, **more)).hold[0]) == expected
    assert Mode[mode.upper()] == fleet_of(rows).mode[0]


def test_a_target_that_no_view_shows_is_held() -> None:
    found = World([policy()]).look(ClusterView({}, {}, NOW_S))

    assert found.hold.tolist() == [Hold.NO_TARGET]
    assert found.spec_replicas.tolist() == [0]


def test_what_was_carried_out_is_told_by_lane() -> None:
    rows = [policy("a"), policy("b")]

    def outcome(uid: str, result: str) -> Outcome:
        return Outcome(ScaleOrder(uid, target_of(rows[0]), 2, 5, "7", "signals"), NOW_S - 4, result)

    told = (outcome("shop/b", "applied"), outcome("shop/gone", "applied"), outcome("shop/a", "conflict"))
    found = World(rows).look(view_of(rows), news=News(told)).applied

    assert (found.lane.tolist(), found.before.tolist(), found.after.tolist()) == ([1], [2], [5])
    assert found.at_s.tolist() == [NOW_S - 4]


def test_ages_are_as_of_now_and_unknown_stays_unknown() -> None:
    rows = [policy()]
    found = (
        World(rows).look(view_of(rows, pod("a"), pod("b", started_at_s=None, transition_at_s=None, ready=None))).pods
    )

    assert found.started_age_s.tolist() == [3595.0, UNKNOWN]
    assert found.transition_age_s.tolist() == [3560.0, UNKNOWN]
    assert found.ready.tolist() == [1, UNKNOWN]
    assert np.all(found.phase == 1)


def test_a_rollout_is_told_of_its_lanes_alone() -> None:
    rows = [policy("chat", demand())]
    assert World(rows).look(view_of(rows)).rolling is None
    rolling = World(rows).look(view_of(rows, rolling=True)).rolling
    assert rolling is not None
    assert rolling.tolist() == [True]

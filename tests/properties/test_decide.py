"""Properties of a whole decision, from any state and for anything that may be seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import decide
from policies.events import EventTable
from policies.fleet import fleet_of
from policies.guardrails import holds_of
from policies.model import Hold, Kind, Mode, Readings, Status
from policies.packing import pack
from policies.snapshot import fleet_from, observation_from, snapshot_of, state_from
from policies.state import EngineState
from policies.subset import fleet_for, observation_for
from policies.tournament import EVIDENCE_STEPS
from tests.builders import FREE, NOW_S, demand, pressure
from tests.properties.generate import carried_out, fleets, policies, random_seen, seeds

if TYPE_CHECKING:
    from policies.arrays import BoolArray
    from policies.model import Decision, Fleet, Observation
    from policies.spec import WorkloadPolicy

T = TypeVar("T")

ticks = st.integers(1, 8)


@dataclass(frozen=True, slots=True)
class Told:
    """One tick of a random history."""

    before: EngineState
    seen: Observation
    after: EngineState
    decision: Decision


def history(fleet: Fleet, seed: int, count: int) -> list[Told]:
    """Random observations, each decision carried out in active lanes, time passing unevenly."""
    random = np.random.default_rng(seed)
    state, now_s, told = EngineState.fresh(fleet), NOW_S, list[Told]()
    seen = random_seen(random, fleet, now_s)
    for _ in range(count):
        after, decision = decide(fleet, state, seen)
        told.append(Told(state, seen, after, decision))
        state, current = after, seen.spec_replicas
        moved = np.where(fleet.mode == Mode.ACTIVE, decision.replicas.target, current)
        now_s += float(random.choice([1.0, 15.0, 15.0, 15.0, 70.0, 400.0, 4000.0]))
        someone = np.where(random.random(current.size) < 0.9, moved, random.integers(0, 60, current.size))
        seen = random_seen(random, fleet, now_s, someone)
        seen = replace(seen, applied=carried_out(current, moved, now_s - 5.0))
    return told


def held(fleet: Fleet, seen: Observation) -> BoolArray:
    found: BoolArray = holds_of(fleet, seen.hold) != Hold.NONE
    return found


@given(fleets(), seeds, ticks)
def test_bounds_hold_for_every_lane_that_is_not_held_and_not_at_zero(fleet: Fleet, seed: int, count: int) -> None:
    for told in history(fleet, seed, count):
        target, current = told.decision.replicas.target, told.seen.spec_replicas
        low, high = told.decision.min_replicas, told.decision.max_replicas
        free = ~held(fleet, told.seen) & (current > 0)

        assert ((low <= target) & (target <= high))[free].all()
        assert (target == current)[~free].all()


@given(fleets(), seeds, ticks)
def test_data_that_is_not_fresh_never_lowers(fleet: Fleet, seed: int, count: int) -> None:
    for told in history(fleet, seed, count):
        read = told.decision.readings
        doubtful = np.zeros(fleet.lanes, np.bool_)
        asks = fleet.tracks.kind != Kind.LATE
        doubtful[fleet.tracks.lane[asks & (read.status != Status.FRESH)]] = True
        floor = np.minimum(told.seen.spec_replicas, told.decision.max_replicas)

        assert (told.decision.replicas.target >= floor)[doubtful].all()


@given(fleets(), seeds, ticks, st.integers(0, 1_000_000), st.sampled_from(Status))
def test_what_only_measures_decides_nothing(fleet: Fleet, seed: int, count: int, late: int, status: Status) -> None:
    mine = fleet.tracks.kind == Kind.LATE
    for told in history(fleet, seed, count):
        read = told.seen.readings
        other = replace(
            read,
            value_milli=np.where(mine, late, read.value_milli),
            status=np.where(mine, np.int8(status), read.status),
        )
        _, decision = decide(fleet, told.before, replace(told.seen, readings=other))

        assert pack(decision.replicas) == pack(told.decision.replicas)


@given(fleets(), seeds, ticks)
def test_an_order_without_evidence_only_raises(fleet: Fleet, seed: int, count: int) -> None:
    for told in history(fleet, seed, count):
        free = ~held(fleet, told.seen) & (told.after.lead.scores.known < EVIDENCE_STEPS)
        without = replace(fleet, forecast=np.zeros(fleet.lanes, np.bool_))
        _, plain = decide(without, told.before, told.seen)

        assert (told.decision.replicas.target >= plain.replicas.target)[free].all()
        alike = ~held(fleet, told.seen)
        for step in plain.steps:
            alike[step.lane] &= step.rule not in {"no_room", "consolidation", "rollout"}
        assert (plain.replicas.target == told.decision.kubernetes)[alike].all()


PER_REPLICA = (demand(), demand("tokens", "12500m"), pressure("queue", average=5))


@given(fleets(signals=PER_REPLICA), seeds, ticks)
def test_the_largest_fresh_value_never_lowers(fleet: Fleet, seed: int, count: int) -> None:
    """A value per replica at the largest number there is cannot be a reason to remove replicas."""
    for told in history(fleet, seed, count):
        seen = told.seen
        full = Readings(
            np.full_like(seen.readings.value_milli, 2**63 - 1),
            seen.readings.age_s,
            np.zeros_like(seen.readings.status),
            np.zeros_like(seen.readings.why),
            seen.readings.targets,
        )
        calm = replace(fleet, forecast=np.zeros(fleet.lanes, np.bool_))
        _, decision = decide(calm, told.before, replace(seen, readings=full))
        floor = np.minimum(seen.spec_replicas, decision.max_replicas)

        assert (decision.replicas.target >= floor).all()


@given(fleets(), seeds, ticks)
def test_together_as_alone(fleet: Fleet, seed: int, count: int) -> None:
    alone = [EngineState.fresh(fleet_for(fleet, np.arange(fleet.lanes) == lane)) for lane in range(fleet.lanes)]
    for told in history(fleet, seed, count):
        for lane in range(fleet.lanes):
            keep = np.arange(fleet.lanes) == lane
            own = fleet_for(fleet, keep)
            alone[lane], decision = decide(own, alone[lane], observation_for(fleet, told.seen, keep))

            assert decision.replicas.target[0] == told.decision.replicas.target[lane]
            assert decision.replicas.reason[0] == told.decision.replicas.reason[lane]
            assert decision.replicas.action[0] == told.decision.replicas.action[lane]
            mine = fleet.tracks.lane == lane
            assert decision.readings.status.tolist() == told.decision.readings.status[mine].tolist()
            assert decision.proposed.tolist() == told.decision.proposed[mine].tolist()
            assert decision.demand[0] == told.decision.demand[lane]


@given(fleets(), seeds, ticks)
def test_declared_events_only_raise(fleet: Fleet, seed: int, count: int) -> None:
    without = replace(fleet, events=EventTable.none())
    for told in history(fleet, seed, count):
        free = ~held(fleet, told.seen)
        _, plain = decide(without, told.before, told.seen)
        target, high = told.decision.replicas.target, told.decision.max_replicas

        assert (target >= plain.replicas.target).all()
        assert (target <= np.maximum(plain.replicas.target, high)).all()
        assert (target == plain.replicas.target)[~free].all()
        near = np.isin(np.arange(fleet.lanes), told.decision.announced.lane)
        assert (target == plain.replicas.target)[~near].all()


@given(fleets(), seeds, ticks)
def test_same_seed_same_bytes_and_inputs_are_left_alone(fleet: Fleet, seed: int, count: int) -> None:
    for told in history(fleet, seed, count):
        before = pack(told.before), pack(told.seen), pack(fleet)
        state, decision = decide(fleet, told.before, told.seen)

        assert (pack(state), pack(decision)) == (pack(told.after), pack(told.decision))
        assert (pack(told.before), pack(told.seen), pack(fleet)) == before


@given(fleets(), seeds, st.integers(2, 8))
def test_packed_observations_replay_bit_for_bit_from_a_snapshot(fleet: Fleet, seed: int, count: int) -> None:
    told = history(fleet, seed, count)
    core, hours = snapshot_of(told[count // 2].before)
    state, kept = state_from(core, hours), fleet_from(pack(fleet))
    for tick in told[count // 2 :]:
        state, decision = decide(kept, state, observation_from(pack(tick.seen)))

        assert pack(decision) == pack(tick.decision)
        assert pack(state) == pack(tick.after)


@given(st.lists(policies(), min_size=2, max_size=4), seeds, ticks)
def test_names_decide_nothing(rows: list[WorkloadPolicy], seed: int, count: int) -> None:
    """Lanes are sorted by name; under other names the same workloads stand in another order and decide the same."""
    order = np.random.default_rng(seed).permutation(len(rows))
    first = fleet_of([named(row, place) for place, row in enumerate(rows)], FREE)
    second = fleet_of([named(row, int(order[place])) for place, row in enumerate(rows)], FREE)
    states = EngineState.fresh(first), EngineState.fresh(second)
    for told in history(first, seed, count):
        one, decided = decide(first, states[0], replace(told.seen, learned=None))
        other, moved = decide(second, states[1], replace(reordered(first, told.seen, order), learned=None))
        states = one, other

        assert moved.replicas.target[order].tolist() == decided.replicas.target.tolist()
        assert moved.replicas.reason[order].tolist() == decided.replicas.reason.tolist()


def named(row: WorkloadPolicy, place: int) -> WorkloadPolicy:
    name = f"lane-{place}"
    return row.model_copy(update={"metadata": row.metadata.model_copy(update={"name": name})})


def reordered(fleet: Fleet, seen: Observation, order: np.ndarray) -> Observation:
    """`seen` with old lane i at place `order[i]`."""
    old = np.argsort(order)
    tracks = np.concatenate([np.flatnonzero(fleet.tracks.lane == lane) for lane in old])
    pods = np.concatenate([np.flatnonzero(seen.pods.lane == lane) for lane in old]).astype(np.int64)
    track_to, pod_to = np.argsort(tracks), np.argsort(pods)
    sample = np.argsort(track_to[seen.samples.track], kind="stable")
    pod = seen.samples.pod[sample]
    starts = np.argsort(order[seen.starts.lane], kind="stable")
    changes = np.argsort(order[seen.applied.lane], kind="stable")
    return replace(
        taken(seen, old, ("spec_replicas", "status_replicas", "pods_per_replica", "hold")),
        readings=taken(seen.readings, tracks),
        pods=replace(taken(seen.pods, pods), lane=order[seen.pods.lane[pods]]),
        samples=replace(
            taken(seen.samples, sample),
            track=track_to[seen.samples.track[sample]],
            pod=np.where(pod < 0, pod, pod_to[pod]) if pod_to.size else pod,
        ),
        starts=replace(taken(seen.starts, starts), lane=order[seen.starts.lane[starts]]),
        applied=replace(taken(seen.applied, changes), lane=order[seen.applied.lane[changes]]),
    )


def taken(table: T, rows: np.ndarray, names: tuple[str, ...] = ()) -> T:
    """The rows of every column of a table, or of the columns `names`."""
    columns = names or tuple(getattr(table, "__slots__", ()))
    values = {name: getattr(table, name)[rows] for name in columns}
    moved: T = replace(table, **values)  # type: ignore[type-var]  # every table is a dataclass
    return moved


TOTALS = (demand(), demand("tokens", "12500m"), pressure("queue", average=5), pressure("latency", value="200m"))


@given(st.lists(policies(signals=TOTALS), min_size=1, max_size=1), seeds, ticks, st.integers(0, 2**40))
def test_more_load_never_fewer_replicas(rows: list[WorkloadPolicy], seed: int, count: int, more: int) -> None:
    """One tick from the same state, with totals that are read: a larger value never decides on fewer replicas."""
    fleet = fleet_of(rows, FREE)
    for told in history(fleet, seed, count):
        seen, read = told.seen, told.seen.readings
        grown = np.where(read.status == Status.MISSING, 0, np.minimum(read.value_milli, 2**62) + more)
        least = np.minimum(read.value_milli, 2**62)
        _, less_load = decide(fleet, told.before, replace(seen, readings=replace(read, value_milli=least)))
        _, more_load = decide(fleet, told.before, replace(seen, readings=replace(read, value_milli=grown)))

        assert (more_load.replicas.target >= less_load.replicas.target).all()
        assert (fleet.tracks.kind == Kind.DEMAND).any() or not more_load.forecast.known.any()

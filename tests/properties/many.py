"""The properties that must hold, looked at over very many generated fleets, from a seed and without hypothesis.

A fleet is a namespace of one to four workloads with budgets and GPU quotas of its own. A batch of them is decided
together, as one daemon does, and in small parts besides, some of them alone: what a namespace has is its own, so all
must come out the same. Each is decided once more under limits that all of it shares: a breaker, a budget of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, booleans, indices, integers
from policies.budget_terms import FLEET as WHOLE
from policies.budget_terms import BudgetTerms, StepLimits
from policies.budgeted import within_budgets
from policies.engine import decide
from policies.fleet import fleet_of
from policies.gpu_quota import within_gpu_quota
from policies.gpu_room import GpuRoom
from policies.guardrails import fleet_breaker, held, holds_of, within_step_downs, within_step_ups
from policies.hpa.behavior import Bounds
from policies.model import RULES, Fleet, Hold, Kind, Limits, Mode, Source, Status, TargetKind, Why
from policies.packing import pack
from policies.proposal import Proposal
from policies.snapshot import fleet_from, observation_from, snapshot_of, state_from
from policies.state import EngineState
from policies.subset import fleet_for, observation_for
from tests.builders import FREE, NOW_S, demand, policy
from tests.properties.generate import EVENTS, MOST_REPLICAS, SCHEDULES, SIGNALS, carried_out, random_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from policies.arrays import BoolArray, IntArray
    from policies.model import Decision, Observation
    from policies.spec import WorkloadPolicy
    from tests.builders import Document

FLEETS, TICKS = 64, 4  # of a batch
BESIDE = 8  # fleets that are decided apart from the others of their batch; the first of them alone, too
REPLAYED = 0.1  # share of the fleets that are replayed alone too; the batch always is
MOST_LANES = 4  # of a fleet
GAPS_S = (1.0, 15.0, 15.0, 15.0, 15.0, 15.0, 70.0, 400.0)
LONG_GAP_S = 4000.0
CAPS = (0.5, 3.0, 7.5, 20.0, 400.0, np.inf)
ASKING = frozenset(RULES[: RULES.index("annotated_replicas")])  # rules that ask within bounds; the others narrow


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that did not hold: `checked(seed)` shows it again."""

    what: str
    seed: int
    tick: int
    lane: str
    told: str


@dataclass(frozen=True, slots=True)
class Tick:
    """What one fleet saw and decided at one tick."""

    number: int
    fleet: Fleet
    before: EngineState
    seen: Observation
    after: EngineState
    decision: Decision


def checked(seed: int, fleets: int = FLEETS) -> list[Violation]:
    """All violations in a batch of fleets."""
    return [replace(each, seed=seed) for each in _of_batch(np.random.default_rng(seed), fleets)]


def _of_batch(random: np.random.Generator, fleets: int) -> Iterator[Violation]:
    owner = np.repeat(np.arange(fleets), random.integers(1, MOST_LANES + 1, fleets))
    every = fleet_of([random_policy(random, f"lane-{lane:04d}") for lane in range(owner.size)], FREE)
    every = replace(every, budget=random_budgets(random, owner))
    ticks = list(_lived(random, every, owner))
    for tick in ticks:
        yield from _of_any(tick)
        yield from _idempotent(tick)
        yield from _monotone(tick, random)
    yield from _replayed(ticks[len(ticks) // 2 :])
    for number in range(fleets):
        tick = ticks[random.integers(0, len(ticks))]
        yield from _limited(tick, owner == number, random)
        if number % BESIDE == 0:
            yield from _part(tick, owner == number)
            yield from _part(tick, (number <= owner) & (owner < number + BESIDE))


def _lived(random: np.random.Generator, fleet: Fleet, owner: IntArray) -> Iterator[Tick]:
    """Random observations one after another, decisions of active lanes carried out, or changed by somebody else."""
    state, now_s = EngineState.fresh(fleet), NOW_S
    seen = random_seen(random, fleet, now_s)
    for number in range(TICKS):
        seen = replace(seen, gpu_room=random_room(random, owner))
        after, decision = decide(fleet, state, seen)
        yield Tick(number, fleet, state, seen, after, decision)
        current = seen.spec_replicas
        moved = np.where(fleet.mode == Mode.ACTIVE, decision.replicas.target, current)
        someone = np.where(random.random(current.size) < 0.9, moved, random.integers(0, 60, current.size))
        now_s += LONG_GAP_S if random.random() < 0.02 else float(random.choice(GAPS_S))
        state = after
        seen = replace(
            random_seen(random, fleet, now_s, someone), applied=carried_out(current, moved, now_s - GAPS_S[0])
        )


def _of_any(tick: Tick) -> Iterator[Violation]:
    """What holds of every lane of every fleet."""
    seen, decision = tick.seen, tick.decision
    target, current = decision.replicas.target, np.maximum(decision.current, 0)
    stays = holds_of(tick.fleet, seen.hold) != Hold.NONE
    low, high = np.minimum(decision.min_replicas, current), np.maximum(decision.max_replicas, current)
    yield from _where(tick, "a held lane stays", stays & (target != decision.current))
    yield from _where(tick, "bounds", ~stays & ((target < low) | (target > high)))
    yield from _where(tick, "no shrink on missing data", _doubtful(tick, saturated=False) & (target < _floor(tick)))
    yield from _to_the_letter(tick)


def _to_the_letter(tick: Tick) -> Iterator[Violation]:
    """What holds of lanes that nothing narrows after what was asked for."""
    decision = tick.decision
    free = booleans(tick.fleet.lanes, value=True)
    for step in decision.steps:
        if step.rule not in ASKING:
            free[step.lane] = False
    target = decision.replicas.target
    works = free & (decision.hold == Hold.NONE) & (decision.current > 0)
    outside = (target < decision.min_replicas) | (target > decision.max_replicas)
    yield from _where(tick, "bounds to the letter", works & outside)
    yield from _where(tick, "no shrink on doubtful data", free & _doubtful(tick) & (target < _floor(tick)))


def _doubtful(tick: Tick, *, saturated: bool = True) -> BoolArray:
    """Lanes of which some data that asks for replicas is not fresh, `[lane]`; saturated ones may yield to others."""
    read, tracks = tick.decision.readings, tick.fleet.tracks
    doubtful = (tracks.kind != Kind.LATE) & (read.status != Status.FRESH)
    if not saturated:
        doubtful &= ~((read.status == Status.CENSORED) & (read.why == Why.SATURATED))
    return any_by(tracks.lane, doubtful, tick.fleet.lanes)


def _floor(tick: Tick) -> IntArray:
    """What must stay of a lane in doubt, `[lane]`."""
    return np.minimum(tick.decision.current, tick.decision.max_replicas)


def _monotone(tick: Tick, random: np.random.Generator) -> Iterator[Violation]:
    """A larger total never decides on fewer replicas: from the same state, where nothing is shared, of totals alone."""
    fleet, read, tracks = tick.fleet, tick.seen.readings, tick.fleet.tracks
    total = (tracks.kind != Kind.LATE) & (tracks.source > Source.PODS) & (tracks.target_kind != TargetKind.UTILIZATION)
    judged = ~any_by(tracks.lane, ~total & (tracks.kind != Kind.LATE), fleet.lanes)
    less = np.minimum(read.value_milli, 2**62)
    more = np.where(total & (read.status != Status.MISSING), less + random.integers(0, 2**40, less.size), less)
    free = replace(fleet, budget=BudgetTerms.none(fleet.lanes))
    seen = replace(tick.seen, gpu_room=None)
    targets = [
        decide(free, tick.before, replace(seen, readings=replace(read, value_milli=values)))[1].replicas.target
        for values in (less, more)
    ]
    yield from _where(tick, "monotone in load", judged & (targets[1] < targets[0]))


def _replayed(ticks: Sequence[Tick]) -> Iterator[Violation]:
    """The state before the first tick saved, restored, and taken on from packed observations: the same to the bit."""
    state, fleet = state_from(*snapshot_of(ticks[0].before)), fleet_from(pack(ticks[0].fleet))
    for tick in ticks:
        state, decision = decide(fleet, state, observation_from(pack(tick.seen)))
        same = (pack(decision), pack(state)) == (pack(tick.decision), pack(tick.after))
        yield from _where(tick, "replay equals live", np.full(fleet.lanes, not same))


def _part(tick: Tick, keep: BoolArray) -> Iterator[Violation]:
    """Some fleets decide as they do among all."""
    fleet, lanes = fleet_for(tick.fleet, keep), np.flatnonzero(keep)
    _, decision = decide(fleet, tick.before.aligned_to(fleet), observation_for(tick.fleet, tick.seen, keep))
    plan, among, wrong = decision.replicas, tick.decision.replicas, booleans(tick.fleet.lanes)
    other = (plan.target != among.target[lanes]) | (plan.reason != among.reason[lanes])
    wrong[lanes] = other | (plan.action != among.action[lanes])
    yield from _where(tick, "the same alone as in a fleet", wrong)


def _limited(tick: Tick, keep: BoolArray, random: np.random.Generator) -> Iterator[Violation]:
    """A fleet under limits that all of it shares."""
    limits = Limits(removal_ratio=float(random.choice([0.1, 0.3, 0.6])), mass_drop=bool(random.random() < 0.5))
    fleet = replace(fleet_for(tick.fleet, keep), limits=limits)
    step_downs = random_step_limits(random, integers(int(random.integers(0, 2)), WHOLE))
    step_ups = random_step_limits(random, integers(int(random.integers(0, 2)), WHOLE))
    budget = replace(fleet.budget, fleet=random.choice(CAPS, 2), step_downs=step_downs, step_ups=step_ups)
    fleet = replace(fleet, budget=budget)
    before, seen = tick.before.aligned_to(fleet), observation_for(tick.fleet, tick.seen, keep)
    after, decision = decide(fleet, before, seen)
    own = Tick(tick.number, fleet, before, seen, after, decision)
    yield from _of_any(own)
    yield from _idempotent(own)
    if random.random() < REPLAYED:
        yield from _replayed([own])


def _idempotent(tick: Tick) -> Iterator[Violation]:
    """Each guardrail leaves alone what it has left."""
    fleet, seen, decision = tick.fleet, tick.seen, tick.decision
    seen = replace(seen, readings=decision.readings, spec_replicas=decision.current)
    bounds, current = Bounds(decision.min_replicas, decision.max_replicas), decision.current
    # A lane in shadow is told what it would have beside the others, who have what they have without it.
    active = replace(fleet, mode=np.where(fleet.mode == Mode.SHADOW, np.int8(Mode.ACTIVE), fleet.mode))
    rules: dict[str, Callable[[Proposal], Proposal]] = {
        "budget": lambda given: within_budgets(given, active, tick.before, seen, bounds)[0],
        "gpu_quota": lambda given: within_gpu_quota(given, active, seen)[0],
        "step_down_budget": lambda given: within_step_downs(given, active, tick.after.removals, seen.now_s, current),
        "step_up_budget": lambda given: within_step_ups(
            given, active, tick.after.additions, seen.now_s, (current, bounds.low)
        ),
        "hold": lambda given: held(given, decision.hold, current),
        "fleet_breaker": lambda given: fleet_breaker(given, active, decision.removal_budget, current),
    }
    asked = Proposal(np.maximum(decision.kubernetes, 0))
    for name, rule in rules.items():
        once = rule(asked)
        again = rule(Proposal(once.target))
        yield from _where(tick, f"{name} is idempotent", again.target != once.target)


def _where(tick: Tick, what: str, wrong: BoolArray) -> Iterator[Violation]:
    decision = tick.decision
    for lane in np.flatnonzero(wrong).tolist():
        reason = RULES[decision.replicas.reason[lane]]
        bounds = f"{decision.min_replicas[lane]}..{decision.max_replicas[lane]}"
        told = f"{decision.current[lane]} to {decision.replicas.target[lane]} within {bounds}, {reason}"
        yield Violation(what, 0, tick.number, tick.fleet.uid[lane], told)


def random_policy(random: np.random.Generator, name: str) -> WorkloadPolicy:
    """Any policy of one workload, of the parts that the hypothesis strategies use too."""
    places = random.permutation(len(SIGNALS))[: random.integers(1, 4)]
    chosen = [SIGNALS[place] for place in places]
    if all(row["kind"] == "late" for row in chosen):
        chosen.append(demand())
    low, high = int(random.choice([1, 2, 10])), int(random.choice([10, 30, 1000, MOST_REPLICAS]))
    events = [EVENTS[place] for place in random.permutation(len(EVENTS))[: random.integers(0, 3)]]
    return policy(
        name,
        *chosen,
        low=low,
        high=high,
        mode=str(random.choice(["active", "active", "active", "shadow", "floor", "paused"])),
        behavior=None if random.random() < 0.4 else {"scaleUp": _direction(random), "scaleDown": _direction(random)},
        schedules=_schedules(random, low, high) if random.random() < 0.3 else [],
        forecast={"events": events if random.random() < 0.3 else []},
        objective={"late": float(random.choice([0.001, 0.01, 0.3]))},
    )


def _direction(random: np.random.Generator) -> Document:
    rates = [
        {
            "type": str(random.choice(["Pods", "Percent"])),
            "value": int(random.choice([1, 3, 10, 50, 100, 400])),
            "periodSeconds": int(random.choice([15, 60, 600])),
        }
        for _ in range(random.integers(1, 4))
    ]
    every: Document = {
        "stabilizationWindowSeconds": int(random.choice([0, 15, 60, 300])),
        "policies": rates,
        "selectPolicy": str(random.choice(["Max", "Min", "Disabled"])),
        "tolerance": str(random.choice(["0", "0.05", "0.5"])),
    }
    return {key: value for key, value in every.items() if random.random() < 0.6}


def _schedules(random: np.random.Generator, low: int, high: int) -> list[Document]:
    least = int(random.integers(1, high + 1))
    most = int(random.integers(max(least, low), max(2 * high, least, low) + 1))
    return [{**SCHEDULES[random.integers(0, len(SCHEDULES))], "min": least, "max": most}]


def random_budgets(random: np.random.Generator, owner: IntArray) -> BudgetTerms:
    """Budgets of lanes and of their namespaces, many of which have none; `owner` is the namespace of each, `[lane]`."""
    names, lanes = int(owner.max()) + 1, owner.size
    namespaces = np.where(random.random((names, 1)) < 0.5, random.choice(CAPS, (names, 2)), np.inf)
    capped = np.repeat(random.random(names) < 0.3, np.bincount(owner))
    return BudgetTerms(
        priority=random.integers(-1, 2, lanes),
        need=random.choice([-1.0, 0.0, 0.5, 1.0, 3.0, 8.0], (lanes, 2)),
        own=np.where(capped[:, np.newaxis], random.choice(CAPS, (lanes, 2)), np.inf),
        namespace=owner,
        names=tuple(f"namespace-{number:03d}" for number in range(names)),
        namespaces=np.concatenate([namespaces, np.full((1, 2), np.inf)]),
        fleet=np.full(2, np.inf),
        step_downs=random_step_limits(random, indices(random.random(names) < 0.3)),
        step_ups=random_step_limits(random, indices(random.random(names) < 0.3)),
    )


def random_step_limits(random: np.random.Generator, scope: IntArray) -> StepLimits:
    """One step budget for each scope."""
    return StepLimits(scope, random.choice(np.array([1, 3, 20]), scope.size), random.choice([60.0, 600.0], scope.size))


def random_room(random: np.random.Generator, owner: IntArray) -> GpuRoom:
    """What quotas leave of GPUs: up to three in each namespace, for some of its lanes."""
    names = int(owner.max()) + 1
    rows = np.argwhere(random.random((owner.size, 3)) < 0.3)
    lane, cap = np.ascontiguousarray(rows[:, 0]), 3 * owner[rows[:, 0]] + rows[:, 1]
    return GpuRoom(
        names=tuple(f"{number}/nvidia.com/mig-{cap}g.5gb" for number in range(names) for cap in range(3)),
        left_milli=random.choice(np.array([0, 500, 3000, 20_000, 10**9]), 3 * names),
        lane=lane,
        cap=cap,
        need_milli=random.choice(np.array([500, 1000, 3000, 8000]), lane.size),
    )

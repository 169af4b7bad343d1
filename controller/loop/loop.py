"""One tick after another: policies, observation, decision, journal, actions, and a report of it all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import structlog

from controller.actuate import Hands, orders_of
from controller.collect import Collector
from controller.collect.collector import News
from controller.collect.questions import objects_of
from controller.collect.quotas import QuotaRoom
from controller.interventions import Interventions
from controller.journal import Intent
from controller.loop.bindings import BindingWatch
from controller.loop.gpus import GpuWatch, Lanes
from controller.loop.learning import Learning
from controller.loop.memory import Happened, Memory
from controller.loop.noticed import Noticed
from controller.loop.planning import Planning
from controller.loop.recall import Recall, recalled, resolved
from controller.loop.supervisor import Failure, Supervisor
from controller.loop.told import Told, owners_of, source_health
from controller.records import PolicySet, TickReport, Unanswered
from policies.explain_budget import budget_problems
from policies.fleet import fleet_of
from policies.model import Hold, Limits, Why
from policies.rows import demand_rows
from policies.state import EngineState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor

    from controller.journal import Journal
    from controller.ports import Actuator, Clock, Cluster, Events, MetricsSource, PolicySource
    from controller.records import Answer, ClusterView, Outcome, ScaleOrder, TargetRef
    from policies.model import Decision, Fleet, Observation

log = structlog.get_logger("foresail.loop")

FORBIDDEN_S = (30.0, 300.0)  # a change that was rejected is tried again after the first, and ever later up to the last
QUARANTINE_S = 600.0
TRIES = 3  # of a tick's decision, lanes at fault being set apart in between

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with, by role."""

    clock: Clock
    policies: PolicySource
    source: MetricsSource
    cluster: Cluster
    actuator: Actuator
    events: Events
    journal: Journal | None = None
    executor: Executor | None = None  # of what takes long; None uses a thread
    interventions: Interventions | None = None  # what people told; None makes one of its own


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and within which limits."""

    interval_s: float = 15.0
    deadline_s: float = 10.0
    snapshot_every_s: float = 600.0
    retention_s: float = 14 * 86_400.0
    limits: Limits = field(default_factory=Limits)


class Loop:
    """Drives the engine. `show` is called with the report of every tick that came to a decision."""

    def __init__(self, parts: Parts, pace: Pace, show: Callable[[TickReport], None]) -> None:
        """Nothing is read or written before `start` or the first tick."""
        self.parts, self.pace, self.show = parts, pace, show
        self.collector = Collector(parts.source)
        self.interventions = parts.interventions or Interventions(parts.clock, parts.journal)
        self.hands = Hands(parts.actuator, parts.cluster, parts.clock, stopped=self.interventions.stopped)
        self.learning = Learning(parts.source, parts.clock, parts.executor)
        self.planning = Planning(parts.clock, parts.executor)
        self.gpu_watch = GpuWatch(parts.source, parts.clock)
        self.binding_watch = BindingWatch(parts.source, parts.clock)
        self.memory = Memory(parts.journal, pace.snapshot_every_s, pace.retention_s)
        self.told = Told(parts.events)
        self.supervisor = Supervisor()
        self.noticed = Noticed()
        self.policies = PolicySet(())
        self.fleet: Fleet | None = None
        self.state: EngineState | None = None
        self.quarantined: dict[str, tuple[float, str]] = {}  # uid -> until wall time, why
        self.round_at_s = parts.clock.elapsed_s()  # monotonic: when the loop last came round
        self._decision: Decision | None = None
        self._outcomes: tuple[Outcome, ...] = ()
        self._open: tuple[Intent, ...] = ()
        self._forbidden: dict[TargetRef, tuple[float, float]] = {}  # until wall time, how long
        self._to_follow: tuple[TargetRef, ...] | None = None  # not watched yet
        self._with_nodes = False
        self._recall: Recall | None = None  # until the collector has been told
        self._phases_s: dict[str, float] = {}

    async def start(self) -> None:
        """Take up what the journal remembers.

        While it cannot be read, rises go on and falls wait; what can never be read is left behind.
        """
        await self.interventions.recall()
        if self.memory.ready:
            return
        restored = await self.memory.restored()
        if restored is None:
            return
        recall = await self.supervisor.guarded("recall the state", asyncio.to_thread(recalled, restored))
        if isinstance(recall, Recall):
            self.state, self._open = recall.state, restored.intents
            self._recall = recall
            self._remind_collector()
            log.info("state recalled", at_s=recall.at_s, ticks=len(restored.ticks), lanes=len(recall.state.uid))

    def _remind_collector(self) -> None:
        """Tell the collector, once it knows its questions, what was last seen before a restart."""
        recall = self._recall
        if recall is not None and recall.seen is not None and self.fleet is not None:
            self.collector.recall(recall.fleet, recall.seen)
            self._recall = None

    async def run(self, stop: asyncio.Event) -> None:
        """Tick every interval until `stop` is set; a tick that takes longer delays the next and never overlaps it."""
        clock = self.parts.clock
        due_s = clock.elapsed_s()
        while not stop.is_set():
            self.round_at_s = clock.elapsed_s()
            await self.supervisor.guarded("tick", self.tick())
            missed = max(0, int((clock.elapsed_s() - due_s) // self.pace.interval_s))
            due_s += (missed + 1) * self.pace.interval_s
            await _sleep_or(stop, clock, due_s - clock.elapsed_s())
        self.learning.stop()
        self.planning.stop()
        self.gpu_watch.stop()
        self.binding_watch.stop()

    async def tick(self) -> TickReport | None:
        """One tick. None when there is nothing to decide for, or deciding failed for all."""
        began_s, self._phases_s = self.parts.clock.elapsed_s(), {}
        await self.start()
        await self._take_policies()
        report = None
        for _ in range(TRIES):
            if self.fleet is None or self.state is None or self.fleet.lanes == 0 or report is not None:
                break
            report = await self._decide_and_act(self.fleet, self.state)
        if report is None:
            return None
        self._phases_s["tick"] = self.parts.clock.elapsed_s() - began_s
        report = replace(report, phases_s=dict(self._phases_s))
        self.noticed.tick(report)
        self.show(report)
        return report

    async def _take_policies(self) -> None:
        """Read the policies; rebuild the fleet when they changed or a quarantine ended."""
        found = await self.supervisor.guarded("read the policies", self.parts.policies.read())
        if isinstance(found, Failure):
            return
        now_s = self.parts.clock.now_s()
        changed = found.digest != self.policies.digest or self.fleet is None
        ended = [uid for uid, (until_s, _) in self.quarantined.items() if changed or until_s <= now_s]
        for uid in ended:
            del self.quarantined[uid]
        if changed or ended:
            await self._build_fleet(found)
        elif self._to_follow is not None:
            await self._follow()
        self.policies = found
        self.noticed.policies(found.problems, count=len(found.policies))

    async def _follow(self) -> None:
        """Have the targets watched, and try again at the next tick when that failed."""
        work = self.parts.cluster.follow(self._to_follow or (), nodes=self._with_nodes)
        if not isinstance(await self.supervisor.guarded("follow the targets", work), Failure):
            self._to_follow = None

    async def _build_fleet(self, found: PolicySet) -> None:
        """The fleet of all policies but those in quarantine; questions and watches follow it.

        Fleet and questions change together: a lane must never meet another lane's target. The state follows with the
        next decision, so that it is what the recorded ticks make of it, whatever fleets came and went in between.
        """
        policies = tuple(policy for policy in found.policies if policy.uid not in self.quarantined)
        accepted = replace(found, policies=policies)
        limits = replace(self.pace.limits, tick_s=self.pace.interval_s)
        fleet = await asyncio.to_thread(fleet_of, policies, limits, found.budgets)
        self._to_follow = tuple(ref for policy in found.policies for ref in objects_of(policy))
        self._with_nodes = any(policy.spec.placement is not None for policy in found.policies)
        await self._follow()
        now_s = self.parts.clock.now_s()
        await self.supervisor.guarded("record the fleet", self.memory.take_fleet(fleet, accepted, now_s))
        before, first = self.state, self.fleet is None
        state = EngineState.fresh(fleet) if before is None else before
        self.collector.prepare(accepted)
        self.fleet, self.state, self._decision = fleet, state, None
        self.planning.follow(fleet)
        self._remind_collector()
        known = frozenset(() if before is None else before.rows)
        new = np.array([uid not in known for uid in demand_rows(fleet)], np.bool_)
        if first and not new.any() and state.history.hours:
            self.learning.read_past(fleet, self.collector.questions, known_s=float(state.history.hours[-1].start_s))
        elif new.any():
            self.learning.read_past(fleet, self.collector.questions, rows=None if first else new)

    async def _decide_and_act(self, fleet: Fleet, state: EngineState) -> TickReport | None:
        """Observe, decide, record, act. None when lanes had to be set apart, so that it must be done again."""
        answers = await self._timed("observe", self._answers())
        now_s, view = self.parts.clock.now_s(), self.parts.cluster.view()
        late, still_open = resolved(self._open, view, now_s)
        outcomes = self._outcomes + late
        news = News(outcomes, self.learning.next_learned(), self.learning.next_piece(demand_rows(fleet)))
        observe = self.collector.observation
        seen = await self._timed("collect", asyncio.to_thread(observe, fleet, answers, view, now_s, news))
        seen = self.interventions.applied_to(fleet, self._with_forbidden(seen, now_s))
        result = await self._timed("decide", self.supervisor.decided(fleet, state, seen))
        if isinstance(result, Failure):
            await self._set_apart(fleet, state, seen)
            return None
        self.state, decision = result
        targets = self.collector.questions.targets
        orders = orders_of(fleet, decision, self.collector.questions, view)
        happened = Happened(fleet, seen, decision, self._decision, orders)
        safe = await self._timed("record", self.supervisor.guarded("record", self.memory.take(happened)))
        if safe is not True:
            orders = tuple(order for order in orders if order.after > order.before)
        self._decision = decision
        self._outcomes = await self._timed("act", self._acted(orders))
        unknown = tuple(Intent(now_s, each.order) for each in self._outcomes if each.result == "unavailable")
        self._open = still_open + unknown  # the server may have done it before it failed to say so
        taken = self.memory.take_outcomes(now_s, self._outcomes)
        await self.supervisor.guarded("record the outcomes", taken)
        await self.supervisor.guarded("tell", self.told.tell(fleet, seen, self.collector.questions, self._outcomes))
        await self.supervisor.guarded("keep", self.memory.keep(self.state, now_s))
        self.learning.learn_when_due(fleet, self.state, seen)
        self.planning.plan_when_due(fleet, self.state, seen, QuotaRoom(view, targets), reading=self.learning.reading)
        self.gpu_watch.look_when_due(self._lanes(fleet))
        self.binding_watch.look_when_due(self.policies)
        return self._report(seen, decision, answers, view)

    async def _answers(self) -> Sequence[Answer]:
        at_s = self.parts.clock.now_s()
        found = await self.supervisor.guarded(
            "ask the metrics source", self.collector.ask(at_s=at_s, deadline_s=self.pace.deadline_s)
        )
        if isinstance(found, Failure):
            queries = self.collector.questions.queries
            return tuple(Unanswered(query, Why.SOURCE_DOWN, found.error) for query in queries)
        return found

    async def _acted(self, orders: Sequence[ScaleOrder]) -> tuple[Outcome, ...]:
        found = await self.supervisor.guarded("act", self.hands.carry_out(orders))
        outcomes = () if isinstance(found, Failure) else found
        for outcome in outcomes:
            ref = outcome.order.ref
            if outcome.result == "rejected":  # as an API server that has just started does
                pause_s = min(2 * self._forbidden.get(ref, (0.0, FORBIDDEN_S[0] / 2))[1], FORBIDDEN_S[1])
                self._forbidden[ref] = (outcome.at_s + pause_s, pause_s)
            elif outcome.result == "applied":
                self._forbidden.pop(ref, None)
            if outcome.result != "applied":
                log.warning("not scaled", workload=outcome.order.uid, result=outcome.result, err=outcome.message)
        return outcomes

    def _with_forbidden(self, seen: Observation, now_s: float) -> Observation:
        """What was seen, with a hold on those objects whose last change the API server rejected."""
        held = {ref for ref, (until_s, _) in self._forbidden.items() if until_s > now_s}
        objects, places = self.collector.questions, seen.places
        holds = [(seen.hold, objects.targets), *([(places.hold, objects.surges)] if places is not None else [])]
        for hold, refs in holds:
            for lane, ref in enumerate(refs if held else ()):
                if ref in held and hold[lane] == Hold.NONE:
                    hold[lane] = Hold.FORBIDDEN
        return seen

    async def _set_apart(self, fleet: Fleet, state: EngineState, seen: Observation) -> None:
        """Put the lanes for which deciding fails into quarantine, and go on without them."""
        guilty = await self.supervisor.guilty_lanes(fleet, state, seen)
        until_s = self.parts.clock.now_s() + QUARANTINE_S
        for uid, error in guilty.items():
            log.error("workload in quarantine", workload=uid, err=error, until_s=until_s)
            self.quarantined[uid] = (until_s, error)
        if guilty:
            await self._build_fleet(self.policies)
            if self.fleet is not None and self.state is not None:
                self.state = self.state.aligned_to(self.fleet)  # what may have made them fail is forgotten

    def _report(
        self, seen: Observation, decision: Decision, answers: Sequence[Answer], view: ClusterView
    ) -> TickReport | None:
        fleet = self.fleet
        if fleet is None:
            return None
        targets = self.collector.questions.targets
        return TickReport(
            at_s=decision.at_s,
            policies=self.policies,
            fleet=fleet,
            seen=seen,
            decision=decision,
            targets=targets,
            owners=owners_of(fleet, self.collector.questions, view),
            outcomes=self._outcomes,
            sources=(source_health(answers, self._phases_s["observe"]),),
            phases_s={},
            quarantined={uid: error for uid, (_, error) in self.quarantined.items()},
            problems=(
                *self.policies.problems,
                *self.collector.problems(answers),
                *budget_problems(fleet, decision),
            ),
            killed=view.killed,
            plans=self.planning.plans,
            gpus=self.gpu_watch.use(self._lanes(fleet)),
            bindings=self.binding_watch.known(),
            interventions=self.interventions.in_force(),
            surges={uid: ref for uid, ref in zip(fleet.uid, self.collector.questions.surges, strict=True) if ref},
        )

    def _lanes(self, fleet: Fleet) -> Lanes:
        """Whose GPUs are looked at, as the last observation had them."""
        collector = self.collector
        return Lanes(
            fleet.uid, collector.questions.targets, collector.workloads.views, collector.gpus.allocated_milli()
        )

    async def _timed(self, phase: str, work: Awaitable[T]) -> T:
        began_s = self.parts.clock.elapsed_s()
        try:
            return await work
        finally:
            self._phases_s[phase] = self.parts.clock.elapsed_s() - began_s


async def _sleep_or(stop: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Sleep, or return as soon as `stop` is set."""
    sleeping = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        stopping.cancel()

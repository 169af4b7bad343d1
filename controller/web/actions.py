"""What people may tell Foresail to do: pause, resume, override; each is asked for, checked, taken and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from controller.errors import Conflict, Rejected, Unavailable
from controller.records import FLEET, LONGEST_INTERVENTION_S
from policies.explain import HOLD_WORDS
from policies.fixed import FixedBy
from policies.model import Hold, Mode
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.interventions import Interventions, Taken, Wanted
    from controller.ports import Access
    from controller.records import Person, TargetRef, TickReport

LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked for. `beyond_bounds` lets an override leave the bounds in force."""

    wanted: Wanted
    beyond_bounds: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """What was done. `obstacles` say in words why it has no effect now, where it has none."""

    taken: Taken
    obstacles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actions:
    """The one door to interventions. `told` hears of each that was taken, `refused` of each that was not."""

    interventions: Interventions
    access: Access | None
    report: Callable[[], TickReport | None]
    longest_s: float = 86_400.0
    told: Callable[[Acted], None] = lambda _acted: None
    refused: Callable[[str], None] = lambda _kind: None

    async def do(self, person: Person, act: Act) -> Acted:
        """Do what somebody asks for.

        Raises HTTPForbidden, HTTPNotFound or HTTPConflict, Unavailable, Rejected for what is wrong, and Conflict for
        what does not fit what is in force.
        """
        try:
            return await self._done(person, act)
        except (web.HTTPError, Conflict, Rejected, Unavailable):
            self.refused(act.wanted.kind)
            raise

    async def _done(self, person: Person, act: Act) -> Acted:
        wanted = act.wanted
        found = self.report()
        if found is None:
            raise Unavailable("no tick has come to a decision yet, so no workload is known; /readyz?verbose says why")
        target = None if wanted.uid == FLEET else _target(found, wanted.uid)
        await self.permit(person, target)
        if problems := self._problems(wanted):
            raise Rejected("; ".join(problems))
        _see_bounds(found, act)
        before = self.interventions.in_force().get(wanted.uid)
        if wanted.kind == "resume" and before is None:
            raise Conflict("there is nothing to resume" + self._still(wanted.uid))
        acted = Acted(await self.interventions.take(wanted, person.name), self.obstacles(wanted))
        self.told(acted)
        return acted

    async def permit(self, person: Person, target: TargetRef | None) -> None:
        """See that somebody may act on a target, or on all workloads. Raises HTTPForbidden, or Unavailable."""
        why = "nothing says who may act" if self.access is None else await self.access.may_act(person, target)
        if why is not None:
            raise web.HTTPForbidden(text=f"{person.name} may not do this: {why}")

    def obstacles(self, wanted: Wanted) -> tuple[str, ...]:
        """Why what is wanted of a workload has no effect now, as far as the last tick knows."""
        found = self.report()
        if found is None or wanted.uid not in found.fleet.uid or wanted.kind == "pause":
            return ()
        lane = found.fleet.uid.index(wanted.uid)
        obstacles = []
        hold, mode = Hold(int(found.seen.hold[lane])), Mode(int(found.fleet.mode[lane]))
        if hold not in {Hold.NONE, Hold.OPERATOR}:
            obstacles.append(f"nothing is changed, because {HOLD_WORDS[hold]}")
        fleet = self.interventions.in_force().get(FLEET)
        if fleet is not None:
            obstacles.append(f"{fleet.who} paused all workloads: {fleet.reason}")
        if mode is not Mode.ACTIVE:
            obstacles.append(f"the policy's mode is {mode.name.lower()}, in which Foresail writes nothing")
        fixed = found.decision.fixed
        if fixed is not None and fixed.by[lane] == FixedBy.ANNOTATION:
            obstacles.append(f"the annotation foresail.dev/replicas fixes {fixed.replicas[lane]}, and wins")
        return tuple(obstacles)

    def _still(self, uid: str) -> str:
        if uid == FLEET:
            return ": nobody has paused all workloads; workloads that were paused one by one are resumed so"
        if FLEET in self.interventions.in_force():
            return ": the workload itself was not paused, all workloads were; resume all"
        return ": nobody has paused it or overridden its count"

    def _problems(self, wanted: Wanted) -> list[str]:
        problems = []
        longest_s = min(self.longest_s, LONGEST_INTERVENTION_S)
        if not 0 < len(wanted.reason.strip()) <= LONGEST_REASON:
            problems.append(f"reason: must say why, in at most {LONGEST_REASON} characters")
        if wanted.kind != "resume" and not 1 <= wanted.lasting_s <= longest_s:
            told = f"must be from 1s to {duration_text(longest_s)}, not {duration_text(wanted.lasting_s)}"
            problems.append(f"for: {told}; --action-longest sets the bound")
        return problems


def _target(report: TickReport, uid: str) -> TargetRef:
    if uid in report.fleet.uid:
        return report.targets[report.fleet.uid.index(uid)]
    if uid in report.quarantined:
        raise web.HTTPConflict(text=f"{uid} is in quarantine, so nothing is done with it: {report.quarantined[uid]}")
    raise web.HTTPNotFound(text=f"no policy is in force for {uid}")


def _see_bounds(report: TickReport, act: Act) -> None:
    """Raise Conflict for an override outside of the bounds in force, unless that is meant."""
    wanted = act.wanted
    if wanted.kind != "override" or wanted.replicas is None or act.beyond_bounds:
        return
    lane = report.fleet.uid.index(wanted.uid)
    low, high = int(report.decision.min_replicas[lane]), int(report.decision.max_replicas[lane])
    if not low <= wanted.replicas <= high:
        told = f"{wanted.replicas} is beyond the bounds in force ({low} to {high})"
        raise Conflict(f"replicas: {told}; with beyondBounds it is taken")

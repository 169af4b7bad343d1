"""What people tell Foresail to do with a workload or the fleet: pauses and overrides, each with an end.

They are told through the API. What is in force reaches the decision as holds and fixed counts of the observation, so
that a replay of the journal decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import numpy as np
import structlog

from controller.errors import ForesailError, Unavailable
from controller.records import FLEET, LONGEST_INTERVENTION_S, Intervention
from policies.fixed import Fixed, FixedBy
from policies.model import Hold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.journal import Journal
    from controller.ports import Clock
    from policies.model import Fleet, Observation

log = structlog.get_logger("foresail.interventions")

_APART_S = 0.001  # at least, between two that are told: the later one counts


def in_force_at(told: Sequence[Intervention], at_s: float) -> dict[str, Intervention]:
    """Of what people told, the oldest first, what held at a wall time, by uid."""
    last = {each.uid: each for each in told if each.at_s <= at_s}
    return {uid: each for uid, each in last.items() if each.kind != "resume" and each.until_s > at_s}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants, before it is taken: `uid` is FLEET for all; only an override has `replicas`."""

    kind: Literal["pause", "override", "resume"]
    uid: str
    reason: str
    lasting_s: float = 0.0
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, in place of what, and whether the journal has it, without which no restart survives it."""

    told: Intervention
    before: Intervention | None
    recorded: bool


@dataclass(frozen=True, slots=True)
class _Standing:
    """One in force, and the monotonic time at which it ends at the latest, whatever becomes of the wall clock."""

    told: Intervention
    until_elapsed_s: float


@dataclass(slots=True)
class Interventions:
    """What is in force, by uid. Each ends by itself; a clock that is set back makes none last longer."""

    clock: Clock
    journal: Journal | None
    _standing: dict[str, _Standing] = field(default_factory=dict)
    _read: bool = False
    _told_at_s: dict[str, float] = field(default_factory=dict)  # by uid: when the last one was told

    async def recall(self) -> None:
        """Take up what the journal remembers, once it can be read; what was told since then stands."""
        if self._read or self.journal is None:
            return
        try:
            found = await self.journal.interventions(since_s=self.clock.now_s() - LONGEST_INTERVENTION_S)
        except Unavailable as error:
            log.warning("pauses and overrides cannot be read yet", err=str(error))
            return
        self._read = True
        for told in found:
            if told.at_s >= self._told_at_s.get(told.uid, float("-inf")):
                self._take(told)

    def in_force(self) -> Mapping[str, Intervention]:
        """What holds now, by uid."""
        now_s, elapsed_s = self.clock.now_s(), self.clock.elapsed_s()
        over = [
            uid
            for uid, standing in self._standing.items()
            if standing.told.until_s <= now_s or standing.until_elapsed_s <= elapsed_s
        ]
        for uid in over:
            told = self._standing.pop(uid).told
            log.info("intervention over", kind=told.kind, workload=told.uid or "all", who=told.who)
        return {uid: standing.told for uid, standing in self._standing.items()}

    async def take(self, wanted: Wanted, who: str) -> Taken:
        """Do as somebody wants, from now on, and record it. It holds even where the journal is down."""
        before = self.in_force().get(wanted.uid)
        at_s = max(self.clock.now_s(), self._told_at_s.get(wanted.uid, 0.0) + _APART_S)
        told = Intervention(
            id=uuid4().hex,
            at_s=at_s,
            uid=wanted.uid,
            kind=wanted.kind,
            who=who,
            reason=wanted.reason,
            until_s=at_s + wanted.lasting_s,
            replicas=wanted.replicas,
        )
        self._take(told)
        words = {"workload": told.uid or "all", "who": who, "reason": told.reason, "until_s": told.until_s}
        log.info("intervention", kind=told.kind, replicas=told.replicas, **words)
        return Taken(told, before, await self._recorded(told))

    def stopped(self, uid: str) -> str | None:
        """Why a workload must not be changed now, None where nobody paused it."""
        standing = self.in_force()
        for told in (standing.get(FLEET), standing.get(uid)):
            if told is not None and told.kind == "pause":
                return f"{told.who} paused {'all workloads' if told.uid == FLEET else 'it'}: {told.reason}"
        return None

    def applied_to(self, fleet: Fleet, seen: Observation) -> Observation:
        """What was seen, with a hold on what is paused and the counts of overrides, where no annotation fixes one."""
        standing = self.in_force()
        if not standing:
            return seen
        place = {uid: lane for lane, uid in enumerate(fleet.uid)} if set(standing) != {FLEET} else {}
        paused = np.full(fleet.lanes, FLEET in standing, np.bool_)
        fixed = Fixed.none(fleet.lanes) if seen.fixed is None else seen.fixed
        replicas, by = fixed.replicas.copy(), fixed.by.copy()
        for uid, told in standing.items():
            lane = place.get(uid)
            if lane is None:
                continue
            if told.kind == "pause":
                paused[lane] = True
            elif told.replicas is not None and by[lane] == FixedBy.NOBODY:
                replicas[lane], by[lane] = told.replicas, FixedBy.OVERRIDE
        hold = np.where(paused & (seen.hold == Hold.NONE), Hold.OPERATOR, seen.hold).astype(np.int8)
        return replace(seen, hold=hold, fixed=Fixed(replicas, by) if by.any() else None)

    def _take(self, told: Intervention) -> None:
        self._told_at_s[told.uid] = told.at_s
        if told.kind == "resume":
            self._standing.pop(told.uid, None)
        else:
            lasting_s = told.until_s - self.clock.now_s()
            self._standing[told.uid] = _Standing(told, self.clock.elapsed_s() + lasting_s)

    async def _recorded(self, told: Intervention) -> bool:
        if self.journal is None:
            return False
        try:
            await self.journal.write_intervention(told)
        except ForesailError as error:
            log.warning("intervention not recorded yet", kind=told.kind, err=str(error))
            return False
        return True

"""The loop's side of the journal: what is recorded when, and what a journal that is down may hold up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from controller.errors import ForesailError, Unavailable
from controller.journal import decision_rows
from controller.policy_text import policy_texts
from policies.packing import pack
from policies.snapshot import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.journal import Journal, Restored
    from controller.records import Outcome, PolicySet, ScaleOrder
    from policies.model import Decision, Fleet, Observation
    from policies.state import EngineState

log = structlog.get_logger("foresail.journal")

PRUNE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Happened:
    """One tick, before it acts: what it saw and decided, and the orders that follow."""

    fleet: Fleet
    seen: Observation
    decision: Decision
    last: Decision | None
    orders: tuple[ScaleOrder, ...]


@dataclass(slots=True)
class Memory:
    """Writes to a journal that may be down or absent, and never raises for it."""

    journal: Journal | None
    snapshot_every_s: float
    retention_s: float
    _read: bool = False
    _snapshot_at_s: float = 0.0
    _pruned_at_s: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether what there was to remember has been read."""
        return self.journal is None or self._read

    async def restored(self) -> Restored | None:
        """What the journal remembers, once; None when there is none or it cannot be read yet."""
        if self.journal is None:
            return None
        try:
            restored = await self.journal.restore()
        except Unavailable as error:
            log.warning("the journal cannot be read yet; nothing is lowered until then", err=str(error))
            return None
        self._read = True
        return restored

    async def take_fleet(self, fleet: Fleet, policies: PolicySet, at_s: float) -> None:
        """Record the fleet that the next ticks decide for."""
        if self.journal is None:
            return
        texts = await asyncio.to_thread(policy_texts, policies.policies)
        packed = await asyncio.to_thread(pack, fleet)
        try:
            await self.journal.record_fleet(at_s, packed, texts)
        except ForesailError as error:
            log.warning("fleet not recorded yet", err=str(error))

    async def take(self, happened: Happened) -> bool:
        """Record a tick before it acts. False when its orders are not safely written down.

        Then nothing may be lowered: the rates and the breaker would not survive a restart. Raising never waits.
        """
        if self.journal is None:
            return True
        at_s = happened.seen.now_s
        told = (happened.fleet, happened.decision, happened.decision.current, happened.last)
        rows = await asyncio.to_thread(decision_rows, *told)
        observation = await asyncio.to_thread(pack, happened.seen)
        writes = await asyncio.gather(
            self.journal.record_tick(at_s, observation, rows),
            self.journal.write_intents(at_s, happened.orders),
            return_exceptions=True,
        )
        safe = self.ready
        for failure in writes:
            if isinstance(failure, ForesailError):
                safe = False
                log.warning("tick not recorded yet", err=str(failure))
            elif isinstance(failure, BaseException):
                raise failure
        return safe

    async def take_outcomes(self, at_s: float, outcomes: Sequence[Outcome]) -> None:
        """Record how the orders of the tick at `at_s` ended."""
        if self.journal is None:
            return
        try:
            await self.journal.write_outcomes(at_s, outcomes)
        except ForesailError as error:
            log.warning("outcomes not recorded yet", err=str(error))

    async def keep(self, state: EngineState, at_s: float) -> None:
        """Save a snapshot and prune, when it is time."""
        if self.journal is None or not self.ready:
            return
        try:
            if at_s - self._snapshot_at_s >= self.snapshot_every_s:
                self._snapshot_at_s = at_s
                core, hours = await asyncio.to_thread(snapshot_of, state)
                await self.journal.save_snapshot(at_s, core, hours)
            if at_s - self._pruned_at_s >= PRUNE_EVERY_S:
                before_s, self._pruned_at_s = self._pruned_at_s, at_s
                if await self.journal.prune(self.retention_s, at_s):
                    self._pruned_at_s = before_s  # the rest at the next ticks
        except ForesailError as error:
            log.warning("snapshot not saved yet", err=str(error))

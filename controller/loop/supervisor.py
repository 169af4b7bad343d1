"""Where a fault is caught: one lane's or one adapter's failure never stops the others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import structlog

from policies.arrays import booleans
from policies.engine import decide
from policies.subset import fleet_for, observation_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from policies.arrays import BoolArray, IntArray
    from policies.model import Decision, Fleet, Observation
    from policies.state import EngineState

log = structlog.get_logger("foresail.loop")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed and how, for people."""

    what: str
    error: str


@dataclass(slots=True)
class Supervisor:
    """Runs work that may fail, and tells `on_fault` of every failure."""

    on_fault: Callable[[], None] = lambda: None

    async def guarded(self, what: str, work: Awaitable[T]) -> T | Failure:
        """The result of `work`, or its failure, logged. The only place where any exception is caught."""
        try:
            return await work
        except Exception as error:
            log.exception("fault", what=what, err=f"{type(error).__name__}: {error}")
            self.on_fault()
            return Failure(what, f"{type(error).__name__}: {error}")

    async def decided(
        self, fleet: Fleet, state: EngineState, seen: Observation
    ) -> tuple[EngineState, Decision] | Failure:
        """`decide`, off the event loop."""
        return await self.guarded("decide", asyncio.to_thread(decide, fleet, state, seen))

    async def guilty_lanes(self, fleet: Fleet, state: EngineState, seen: Observation) -> dict[str, str]:
        """The lanes for which deciding fails, with the error, found by halving the fleet.

        Empty when every half decides: the failure then came from lanes together, and nothing can be singled out.
        """
        found: dict[str, str] = {}
        pending = [np.ones(fleet.lanes, np.bool_)]
        while pending:
            keep = pending.pop()
            trial = await self.guarded("find the lane at fault", asyncio.to_thread(_trial, fleet, state, seen, keep))
            if not isinstance(trial, Failure):
                continue
            lanes = np.flatnonzero(keep)
            if lanes.size == 1:
                found[fleet.uid[lanes[0]]] = trial.error
            else:
                pending += [_only(half, fleet.lanes) for half in np.array_split(lanes, 2)]
        return found


def _trial(fleet: Fleet, state: EngineState, seen: Observation, keep: BoolArray) -> None:
    decide(fleet_for(fleet, keep), state, observation_for(fleet, seen, keep))


def _only(lanes: IntArray, count: int) -> BoolArray:
    mask = booleans(count)
    mask[lanes] = True
    return mask

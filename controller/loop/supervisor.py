"""Where a fault is caught: one lane's or one adapter's failure never stops the others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import structlog

from policies.engine import decide
from policies.subset import fleet_for, observation_for

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from policies.arrays import BoolArray
    from policies.model import Decision, Fleet, Observation
    from policies.state import EngineState

log = structlog.get_logger("foresail.loop")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed and how, for people."""

    what: str
    error: str


async def guarded(what: str, work: Awaitable[T]) -> T | Failure:
    """The result of `work`, or its failure, logged. The only place where any exception is caught."""
    try:
        return await work
    except Exception as error:
        log.exception("fault", what=what, err=f"{type(error).__name__}: {error}")
        return Failure(what, f"{type(error).__name__}: {error}")


async def decided(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision] | Failure:
    """`decide`, off the event loop."""
    return await guarded("decide", asyncio.to_thread(decide, fleet, state, seen))


async def guilty_lanes(fleet: Fleet, state: EngineState, seen: Observation) -> dict[str, str]:
    """The lanes for which deciding fails, with the error, found by halving the fleet.

    Empty when every half decides: the failure then came from lanes together, and nothing can be singled out.
    """
    found: dict[str, str] = {}
    pending = [np.ones(fleet.lanes, np.bool_)]
    while pending:
        keep = pending.pop()
        trial = await guarded("find the lane at fault", asyncio.to_thread(_trial, fleet, state, seen, keep))
        if not isinstance(trial, Failure):
            continue
        lanes = np.flatnonzero(keep)
        if lanes.size == 1:
            found[fleet.uid[lanes[0]]] = trial.error
            continue
        for half in np.array_split(lanes, 2):
            part = np.zeros(fleet.lanes, np.bool_)
            part[half] = True
            pending.append(part)
    return found


def _trial(fleet: Fleet, state: EngineState, seen: Observation, keep: BoolArray) -> None:
    decide(fleet_for(fleet, keep), state, observation_for(fleet, seen, keep))

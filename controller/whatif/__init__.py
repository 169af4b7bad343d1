"""One workload's what-if: what the last days would have cost and missed under another policy, from the journal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import ForesailError, Rejected, Unavailable
from controller.journal import Journal
from controller.whatif.reading import read
from simulations.changed import Compared, compared
from simulations.recorded import RecordedLoad
from simulations.scenario import ReplayError

if TYPE_CHECKING:
    from controller.whatif.reading import Ticks
    from policies.arrays import FloatArray
    from simulations.changed import Terms


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one workload, with all that a process of its own needs to answer.

    `past_at_s` and `past_demand` are the minutes that the daemon remembers, `[minute]`: demand in replicas at the
    serving limit, NaN where it is not known.
    """

    journal_url: str
    uid: str
    span_s: tuple[float, float]
    startup_s: float
    serving_limit_ratio: float
    policies: tuple[Terms, ...]  # the present one first
    past_at_s: FloatArray
    past_demand: FloatArray
    reading_s: float  # how long the journal may be read


@dataclass(frozen=True, slots=True)
class Answered:
    """What the journal says. `read_s` is the time that was read, `every_s` how far apart its readings are."""

    compared: Compared
    read_s: tuple[float, float]
    every_s: float
    whole: bool  # False: there was no time to read all that was asked for


def answered(question: Question) -> Answered | ForesailError:
    """Read, replay and judge; what stands in the way is returned, as this is asked across processes."""
    try:
        return asyncio.run(_answered(question))
    except ReplayError as error:
        return Rejected(f"{question.uid} cannot be replayed: {error}")
    except ForesailError as error:
        return error


async def _answered(question: Question) -> Answered:
    journal = await Journal.reader(question.journal_url)
    try:
        ticks = await read(journal, question.uid, question.span_s, question.reading_s)
    except ValueError as error:
        raise Unavailable(f"the journal cannot be read: {error}") from error
    finally:
        await journal.close()
    load = _load(question, ticks)
    found = compared(load, ticks.happened, question.policies)
    return Answered(found, (float(ticks.at_s[0]), float(ticks.at_s[-1])), ticks.every_s, ticks.whole)


def _load(question: Question, ticks: Ticks) -> RecordedLoad:
    """The load that was read, with what is remembered of the minutes before in front of it."""
    before = question.past_at_s < ticks.at_s[0] - 60.0
    known = np.flatnonzero(before & np.isfinite(question.past_demand))
    load = RecordedLoad(
        question.uid,
        ticks.at_s,
        ticks.demand,
        serving_limit_ratio=question.serving_limit_ratio,
        replicas=question.policies[0].replicas,
        startup_s=question.startup_s,
        late_ratio=question.policies[0].late_ratio,
    )
    if known.size == 0:
        return load
    past = slice(int(known[0]), int(np.flatnonzero(before)[-1]) + 1)
    return replace(
        load,
        at_s=np.concatenate([question.past_at_s[past], ticks.at_s]),
        demand=np.concatenate([question.past_demand[past], ticks.demand]),
        past=past.stop - past.start,
    )

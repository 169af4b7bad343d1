"""One workload's ticks out of a journal, the newest first, as many as there is time for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Unavailable
from controller.recorded import fresh_demand
from controller.telemetry import ready_replicas
from policies.censoring import with_censored
from policies.model import UNKNOWN, Status
from policies.quantities import moment_text
from policies.snapshot import fleet_from, observation_from
from simulations.changed import Happened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from controller.journal import Journal, TickRow
    from policies.arrays import FloatArray
    from policies.model import Fleet

APART_S = (30.0, 60.0, 120.0, 300.0)  # how far apart ticks are read: the first with which there is time for all
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Ticks:
    """What was read of one workload, rising in time, `[tick]`."""

    at_s: FloatArray
    demand: FloatArray  # in replicas at the serving limit, NaN where no reading was fresh
    happened: Happened
    every_s: float
    whole: bool  # False: there was no time for all


async def read(
    journal: Journal,
    uid: str,
    span_s: tuple[float, float],
    within_s: float,
    elapsed_s: Callable[[], float] = time.monotonic,
) -> Ticks:
    """Read the ticks of a span for at most so long.

    Raises Unavailable where there is none of the workload, Rejected, and ValueError where bytes are damaged.
    """
    until_s = elapsed_s() + within_s
    times = await journal.tick_times(since_s=span_s[0], until_s=span_s[1])
    rows, every_s = _Rows(uid), APART_S[0]
    left = _thinned(times, every_s)
    while left and elapsed_s() < until_s:
        began_s, known = elapsed_s(), len(rows.fleets)
        rows.take(*await journal.ticks_at(left[-_AT_ONCE:], rows.fleets.keys()))
        left = left[:-_AT_ONCE]
        if len(rows.fleets) == known:  # a page that unpacks a fleet takes longer
            one_s = (elapsed_s() - began_s) / _AT_ONCE
            every_s = max(every_s, _affordable(left, until_s - elapsed_s(), one_s))
            left = _thinned(left, every_s)
    if not any(np.isfinite(row.demand) or row.wanted != UNKNOWN for row in rows.found):
        raise Unavailable(f"nothing is recorded of {uid} since {moment_text(int(span_s[0]))}")
    return rows.ticks(every_s, whole=not left)


def _thinned(times: Iterable[float], every_s: float) -> list[float]:
    """The last time in each stretch of `every_s`, rising."""
    return list({at_s // every_s: at_s for at_s in times}.values())


def _affordable(times: list[float], left_s: float, one_s: float) -> float:
    """How far apart ticks can be read where one takes `one_s`: the closest for which there is time, or the widest."""
    return next((each for each in APART_S if len(_thinned(times, each)) * one_s <= left_s), APART_S[-1])


@dataclass(frozen=True, slots=True)
class _Row:
    at_s: float
    demand: float
    wanted: int
    ready: int
    censored: bool


@dataclass(slots=True)
class _Rows:
    """What is kept of ticks: those of a fleet are large."""

    uid: str
    fleets: dict[str, Fleet] = field(default_factory=dict)
    found: list[_Row] = field(default_factory=list)

    def take(self, ticks: tuple[TickRow, ...], fleets: Mapping[str, bytes]) -> None:
        """Keep what these tell of the workload."""
        self.fleets |= {digest: fleet_from(packed) for digest, packed in fleets.items()}
        self.found += self._rows(ticks)

    def _rows(self, ticks: tuple[TickRow, ...]) -> Iterator[_Row]:
        for tick in ticks:
            if tick.fleet_digest not in self.fleets:
                raise ValueError(f"fleet {tick.fleet_digest[:12]} is not there")
            fleet, seen = self.fleets[tick.fleet_digest], observation_from(tick.observation)
            if self.uid not in fleet.uid:
                yield _Row(tick.at_s, np.nan, UNKNOWN, 0, censored=False)
                continue
            lane = fleet.uid.index(self.uid)
            status = with_censored(fleet, seen).readings.status[fleet.tracks.lane == lane]
            yield _Row(
                tick.at_s,
                float(fresh_demand(fleet, seen)[lane]),
                int(seen.spec_replicas[lane]),
                int(ready_replicas(seen)[lane]),
                bool((status == Status.CENSORED).any()),
            )

    def ticks(self, every_s: float, *, whole: bool) -> Ticks:
        """All that was kept, in order."""
        rows = sorted(self.found, key=lambda row: row.at_s)
        return Ticks(
            np.array([row.at_s for row in rows]),
            np.array([row.demand for row in rows]),
            Happened(
                np.array([row.wanted for row in rows]),
                np.array([row.ready for row in rows]),
                np.array([row.censored for row in rows]),
            ),
            every_s,
            whole,
        )

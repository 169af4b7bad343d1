"""What a journal recorded: decided again and compared, and each workload's load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Rejected, Unavailable
from controller.journal import Journal
from controller.loop.again import Again
from controller.loop.compared import Comparison
from policies.engine import demand_replicas
from policies.history import MINUTE_S
from policies.lead_time import serving_per_replica
from policies.model import Status
from policies.quantities import moment_text
from policies.rows import demand_tracks
from simulations.recorded import RecordedLoad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from controller.journal import Beginning, Page
    from controller.loop.again import Decided
    from controller.loop.compared import Agreement
    from policies.arrays import FloatArray
    from policies.history import History
    from policies.model import Fleet, Observation

    Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which journal."""

    url: str
    since_s: float = -np.inf
    until_s: float = np.inf
    workloads: tuple[str, ...] = ()  # "namespace/name"; () = all


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was found. `snapshot_at_s` is None where the daemon's own beginning is the journal's."""

    snapshot_at_s: float | None
    span_s: tuple[float, float]  # wall times of the first and the last tick compared
    agreement: Agreement
    loads: tuple[RecordedLoad, ...]
    wall_s: float = 0.0


async def recorded_of(asked: Asked, progress: Progress) -> Recorded:
    """Decide the recorded ticks again. Raises Unavailable when there are none, and Rejected.

    `progress` is asked for the number of ticks, and told of each.
    """
    journal = await Journal.reader(asked.url)
    try:
        begin = await journal.beginning(since_s=asked.since_s, until_s=asked.until_s)
        reading = _Reading.of(begin, asked)
        with progress(begin.ticks) as on_tick:
            async for page in journal.pages(begin.at_s, until_s=asked.until_s):
                reading.take(page, on_tick)
    except ValueError as error:
        raise Rejected(f"the journal cannot be decided again: {error}") from error
    finally:
        await journal.close()
    return reading.result()


@dataclass(frozen=True, slots=True)
class _Sample:
    """What is kept of a tick: a journal may hold weeks of them. Arrays are `[lane]`."""

    at_s: float
    fleet: Fleet
    demand: FloatArray
    startup_s: FloatArray


@dataclass(slots=True)
class _Reading:
    """One way through a journal."""

    asked: Asked
    begin: Beginning
    again: Again
    comparison: Comparison
    last: Decided | None = None
    done: int = 0
    samples: list[_Sample] = field(default_factory=list)  # from `since_s` on

    @classmethod
    def of(cls, begin: Beginning, asked: Asked) -> _Reading:
        comparison = Comparison(begin.standing, since_s=asked.since_s, workloads=asked.workloads)
        return cls(asked, begin, Again(begin), comparison)

    def take(self, page: Page, on_tick: Callable[[int], None]) -> None:
        for tick in self.again.take(page):
            self.comparison.take(tick)
            if tick.at_s >= self.asked.since_s:
                self.samples.append(
                    _Sample(tick.at_s, tick.fleet, fresh_demand(tick.fleet, tick.seen), tick.decision.startup_s)
                )
            self.last = tick
            self.done += 1
            on_tick(self.done)

    def result(self) -> Recorded:
        if not self.samples:
            raise Unavailable(_nothing(self.asked))
        self.comparison.unobserved(self.again.unobserved)
        fleets = {id(sample.fleet): sample.fleet for sample in self.samples}
        uids = sorted({uid for fleet in fleets.values() for uid in fleet.uid})
        if unknown := sorted(set(self.asked.workloads) - set(uids)):
            raise Rejected(f"workload {unknown[0]} was not there then; there were {', '.join(uids[:5])}")
        return Recorded(
            None if self.begin.snapshot is None else self.begin.at_s,
            (self.samples[0].at_s, self.samples[-1].at_s),
            self.comparison.agreement,
            tuple(self._loads(uids)),
        )

    def _loads(self, uids: list[str]) -> Iterator[RecordedLoad]:
        """Each workload's load, after what the daemon remembered of the time before."""
        if self.last is None or self.again.state is None:
            return
        past = _Past.of(self.last, self.again.state.history, until_s=self.samples[0].at_s)
        for uid in dict.fromkeys(self.asked.workloads or uids):
            yield past.before(_load(uid, self.samples))


@dataclass(frozen=True, slots=True)
class _Past:
    """What the daemon remembered of the minutes before the ticks: the same demand, NaN where not known."""

    uid: tuple[str, ...]
    at_s: FloatArray  # [minute]
    demand: FloatArray  # [lane, minute]

    @classmethod
    def of(cls, last: Decided, history: History, *, until_s: float) -> _Past:
        """Minutes before the one of `until_s`, as far back as any policy looks, from what is known in the end."""
        fleet = last.fleet
        window = history.window(float(fleet.history_s.max(initial=0.0)), until_s - MINUTE_S)
        serving, lane = serving_per_replica(fleet, last.seen), fleet.tracks.lane[demand_tracks(fleet)]
        known = window.known & (serving > 0)[:, None]
        replicas = np.where(known, window.value / np.where(serving > 0, serving, 1.0)[:, None], np.nan)
        demand = np.full((fleet.lanes, known.shape[1]), np.nan)
        for row, of_lane in enumerate(lane.tolist()):
            demand[of_lane] = np.fmax(demand[of_lane], replicas[row])
        return cls(fleet.uid, window.start_s + MINUTE_S * np.arange(known.shape[1], dtype=np.float64), demand)

    def before(self, load: RecordedLoad) -> RecordedLoad:
        """A load with its past in front, from the first minute that is known."""
        if load.name not in self.uid:
            return load
        demand = self.demand[self.uid.index(load.name)]
        known = np.flatnonzero(np.isfinite(demand))
        if known.size == 0:
            return load
        past = slice(int(known[0]), None)
        return replace(
            load,
            at_s=np.concatenate([self.at_s[past], load.at_s]),
            demand=np.concatenate([demand[past], load.demand]),
            past=demand[past].size,
        )


def _load(uid: str, samples: list[_Sample]) -> RecordedLoad:
    """A workload's load, and what its policy said last."""
    lane_of = {id(sample.fleet): _lane(uid, sample.fleet) for sample in {id(s.fleet): s for s in samples}.values()}
    lanes = [lane_of[id(sample.fleet)] for sample in samples]
    demand = [np.nan if lane is None else sample.demand[lane] for lane, sample in zip(lanes, samples, strict=True)]
    last, lane = next((sample, at) for at, sample in zip(lanes[::-1], samples[::-1], strict=True) if at is not None)
    fleet = last.fleet
    return RecordedLoad(
        uid,
        np.array([sample.at_s for sample in samples]),
        np.array(demand, np.float64),
        serving_limit_ratio=float(fleet.serving_limit_ratio[lane]),
        replicas=(int(fleet.min_replicas[lane]), int(fleet.max_replicas[lane])),
        startup_s=float(last.startup_s[lane]),
        late_ratio=float(fleet.late_ratio[lane]),
    )


def _lane(uid: str, fleet: Fleet) -> int | None:
    return fleet.uid.index(uid) if uid in fleet.uid else None


def fresh_demand(fleet: Fleet, seen: Observation) -> FloatArray:
    """The largest fresh demand of each lane in replicas at the serving limit, NaN where none is fresh, `[lane]`."""
    readings = seen.readings
    fresh = readings.status == Status.FRESH
    status = np.where(fresh, readings.status, Status.MISSING).astype(np.int8)
    demand, known = demand_replicas(fleet, replace(seen, readings=replace(readings, status=status)))
    return np.where(known, demand, np.nan)


def _nothing(asked: Asked) -> str:
    since = "" if np.isinf(asked.since_s) else f" since {moment_text(int(asked.since_s))}"
    until = "" if np.isinf(asked.until_s) else f" until {moment_text(int(asked.until_s))}"
    return f"no tick is recorded{since}{until} that can be decided again"

"""What is known of the use of every watched container: one row of histograms each, fed by samples and kills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.records import ContainerSize
from controller.vertical.records import CPU, MEMORY
from controller.vertical.status import Recommended
from policies.resources.decaying import CPU_BUCKETS, MEMORY_BUCKETS, Decaying
from policies.resources.recommender import DAY_S, POD_BYTES, POD_CORES, after_kill, confidence, recommended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.records import PastSeries
    from controller.vertical.records import ContainerSeen, Watched
    from policies.arrays import FloatArray
    from policies.resources.recommender import Range

CPU_WEIGHT = 0.1
MEMORY_WEIGHT = 1.0
WINDOW_S = DAY_S  # of which the peak of memory counts
GIB = 2.0**30


class Lane(NamedTuple):
    """A container of what is watched: by an autoscaler or by a policy alone."""

    of_autoscaler: bool
    watched: str
    container: str


PodContainer = tuple[str, str, str]  # namespace, container, pod


@dataclass(slots=True)
class _Peak:
    """The largest memory of one container of one pod within a window, and its last kill."""

    ends_s: float
    used: float = 0.0
    killed: float = 0.0
    seen_s: float = 0.0


class Bank:
    """Rows of evidence by lane. A row stays while its container is watched, and nothing but samples changes it."""

    def __init__(self) -> None:
        """Know nothing."""
        self._row: dict[Lane, int] = {}
        self._cpu = Decaying.empty(CPU_BUCKETS, 0)
        self._memory = Decaying.empty(MEMORY_BUCKETS, 0)
        self._samples = self._first_s = self._last_s = np.zeros(0)
        self._beside = np.zeros(0, np.int64)  # containers of the pod
        self._kills_after_s = np.zeros(0)  # older kills are in the row already
        self._peaks: dict[PodContainer, _Peak] = {}
        self._kills: dict[PodContainer, float] = {}
        self._killed: dict[Lane, float] = {}
        self._ranges: tuple[Range, Range] | None = None

    def follow(self, watched: Sequence[Watched]) -> None:
        """Have a row for each container of what is watched, and for none else.

        A container without pods now keeps its row, for what it used is still known.
        """
        lanes = {lane: len(each.containers) for each in watched for lane in lanes_of(each)}
        there = {(each.autoscaler is not None, each.key) for each in watched}
        kept = {lane: 0 for lane in self._row if lane[:2] in there and lane not in lanes}
        order = [*lanes, *kept]
        rows = np.array([self._row.get(lane, -1) for lane in order], np.int64)
        beside = np.array([lanes.get(lane, 0) for lane in order], np.int64)
        known = self._taken(self._beside.astype(np.float64), rows).astype(np.int64)
        self._beside = np.where(beside > 0, beside, known)
        if order == list(self._row):
            self._ranges = None
            return
        self._cpu, self._memory = self._cpu.taken(rows), self._memory.taken(rows)
        self._samples, self._first_s, self._last_s, self._kills_after_s = (
            self._taken(each, rows) for each in (self._samples, self._first_s, self._last_s, self._kills_after_s)
        )
        self._row = {lane: row for row, lane in enumerate(order)}
        self._killed = {lane: at_s for lane, at_s in self._killed.items() if lane in self._row}
        self._ranges = None

    def empty(self, lane: Lane) -> bool:
        """Whether nothing is known of a lane."""
        return self._samples[self._row[lane]] == 0

    def take(
        self, resource: str, watched: Sequence[Watched], values: Mapping[PodContainer, float], now_s: float
    ) -> int:
        """Take in what containers use now, by namespace, container and pod; returns how many were ours."""
        rows, used = [], []
        for each in watched:
            for lane, place, _ in _members(each):
                if (value := values.get(place)) is not None:
                    rows += [(self._row[lane], place)]
                    used += [value]
        if not rows:
            return 0
        if resource == CPU:
            self._take_cpu(np.array([row for row, _ in rows]), np.array(used), np.full(len(rows), now_s))
        else:
            self._take_memory([(row, place, value) for (row, place), value in zip(rows, used, strict=True)], now_s)
        return len(rows)

    def take_kills(self, watched: Sequence[Watched], now_s: float) -> None:
        """Take in containers that were killed for want of memory, each kill once."""
        for each in watched:
            for lane, place, seen in _members(each):
                at_s = seen.oom_at_s
                row = self._row[lane]
                if at_s is None or at_s <= max(self._kills.get(place, 0.0), self._kills_after_s[row], now_s - WINDOW_S):
                    continue
                self._kills[place] = at_s
                self._killed[lane] = at_s
                request = (seen.memory_milli or 0) / 1000
                self._take_peak(row, place, request, at_s, kill=True)
        there = {place for each in watched for _, place, _ in _members(each)}
        self._kills = {place: at_s for place, at_s in self._kills.items() if place in there}
        self._peaks = {place: peak for place, peak in self._peaks.items() if place in there}

    def take_past(self, lane: Lane, resource: str, past: PastSeries) -> None:
        """Take in what the busiest replica's container used before: CPU as it is, of memory the peak of each day."""
        row, at_s, used = self._row[lane], np.asarray(past.at_s), np.asarray(past.values)
        if not at_s.size:
            return
        self._ranges = None
        if resource == CPU:
            self._take_cpu(np.full(at_s.size, row), used, at_s)
            spacing_min = float(np.median(np.diff(at_s))) / 60 if at_s.size > 1 else 1.0
            self._samples[row] += at_s.size * max(0.0, spacing_min - 1)  # a point stands for the minutes up to it
            return
        days = np.floor((at_s - at_s[0]) / WINDOW_S).astype(np.int64)
        peaks = np.zeros(days[-1] + 1)
        np.maximum.at(peaks, days, used)
        known = np.flatnonzero(peaks)
        ends_s = at_s[0] + (known + 1) * WINDOW_S
        weights = np.full(known.size, MEMORY_WEIGHT)
        self._memory = self._memory.added(np.full(known.size, row), peaks[known], weights, ends_s)

    def recommended(self, watched: Watched, now_s: float) -> list[Recommended]:
        """What is recommended for the containers that there are, and of which something is known."""
        found = []
        for name in watched.containers:
            lane = Lane(watched.autoscaler is not None, watched.key, name)
            lower, target, upper = ({CPU: 0, MEMORY: 0} for _ in range(3))
            for resource, amounts in zip((CPU, MEMORY), self._known_ranges(), strict=True):
                row = self._row[lane]
                if not np.isfinite(amounts.target[row]):
                    for each in (lower, target, upper):
                        del each[resource]
                    continue
                lower[resource] = _milli(amounts.lower[row])
                target[resource] = _milli(amounts.target[row])
                upper[resource] = _milli(amounts.upper[row])
            if target:
                found.append(Recommended(name, lower, target, upper, young=self._confidence()[self._row[lane]] < 1))
        return found

    def sizes(self, watched: Watched, now_s: float) -> tuple[ContainerSize, ...]:
        """The same for people and metrics, with what the containers request and why."""
        seen = {each.name: each for pod in watched.pods for each in pod.containers}
        return tuple(
            ContainerSize(
                container=each.container,
                requests=_requests(seen[each.container]),
                lower=each.lower,
                target=each.target,
                upper=each.upper,
                young=each.young,
                why=self._why(Lane(watched.autoscaler is not None, watched.key, each.container), now_s),
            )
            for each in self.recommended(watched, now_s)
        )

    def evidence(self, lane: Lane) -> tuple[Decaying, Decaying, int, float, float, float]:
        """For a checkpoint: both histograms, the row in them, first and last sample, and how many there are."""
        row = self._row[lane]
        return self._cpu, self._memory, row, self._first_s[row], self._last_s[row], self._samples[row]

    def restore(
        self, lane: Lane, histograms: tuple[Decaying, Decaying], times_s: tuple[float, float, float], samples: float
    ) -> None:
        """Put a lane's evidence back as a checkpoint has it; times are of the first and last sample and of saving."""
        row = self._row[lane]
        self._cpu, self._memory = histograms
        self._first_s[row], self._last_s[row], self._kills_after_s[row] = times_s
        self._samples[row] = samples
        self._ranges = None

    @property
    def histograms(self) -> tuple[Decaying, Decaying]:
        """Those of CPU and of memory, with a row for each lane."""
        return self._cpu, self._memory

    def row(self, lane: Lane) -> int:
        """A lane's row."""
        return self._row[lane]

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes, by row."""
        return list(self._row)

    def _take_cpu(self, rows: np.ndarray, cores: FloatArray, at_s: FloatArray) -> None:
        self._cpu = self._cpu.added(rows, cores, np.full(rows.size, CPU_WEIGHT), at_s)
        np.add.at(self._samples, rows, 1.0)
        first = np.where(self._first_s > 0, self._first_s, np.inf)
        np.minimum.at(first, rows, at_s)
        np.maximum.at(self._last_s, rows, at_s)
        self._first_s = np.where(np.isfinite(first), first, 0.0)
        self._ranges = None

    def _take_memory(self, samples: Sequence[tuple[int, PodContainer, float]], now_s: float) -> None:
        for row, place, used in samples:
            self._take_peak(row, place, used, now_s, kill=False)

    def _take_peak(self, row: int, place: PodContainer, used: float, at_s: float, *, kill: bool) -> None:
        """One sample of memory, or one kill: of a window only the peak stays in the histogram."""
        peak = self._peaks.setdefault(place, _Peak(at_s))
        if kill and at_s < peak.seen_s - WINDOW_S:
            return
        before = max(peak.used, peak.killed)
        if at_s >= peak.ends_s:
            windows = np.floor((at_s - peak.ends_s) / WINDOW_S) + 1
            peak.ends_s, peak.used, peak.killed, before = peak.ends_s + windows * WINDOW_S, 0.0, 0.0, 0.0
        value = float(after_kill(np.array([peak.used]), np.array([used]))[0]) if kill else used
        peak.seen_s = max(peak.seen_s, at_s)
        if kill:
            peak.killed = max(peak.killed, value)
        else:
            peak.used = max(peak.used, value)
        if value <= before:
            return
        values, weights = ([before, value], [-MEMORY_WEIGHT, MEMORY_WEIGHT]) if before else ([value], [MEMORY_WEIGHT])
        count = len(values)
        self._memory = self._memory.added(
            np.full(count, row), np.array(values), np.array(weights), np.full(count, peak.ends_s)
        )
        self._ranges = None

    def _confidence(self) -> FloatArray:
        return confidence(self._samples, self._first_s, self._last_s)

    def _known_ranges(self) -> tuple[Range, Range]:
        if self._ranges is None:
            sure = self._confidence()
            self._ranges = (
                recommended(self._cpu, sure, self._beside, POD_CORES),
                recommended(self._memory, sure, self._beside, POD_BYTES),
            )
        return self._ranges

    def _why(self, lane: Lane, now_s: float) -> str:
        row = self._row[lane]
        known_h, age_s = (self._last_s[row] - self._first_s[row]) / 3600, now_s - self._last_s[row]
        told = [f"90 % of {known_h:.0f} h of use, the last day twice the one before, and 15 %"]
        if (killed_s := self._killed.get(lane)) is not None:
            told.append(f"killed for want of memory {(now_s - killed_s) / 3600:.0f} h ago, so its peak counts more")
        if known_h < 24:  # noqa: PLR2004 - hours of a day
            told.append("less than a day is known, so nothing is lowered yet")
        if age_s > 2 * DAY_S / 24:
            told.append(f"nothing was measured for {age_s / 3600:.0f} h, so it stands")
        return "; ".join(told)

    @staticmethod
    def _taken(values: FloatArray, rows: np.ndarray) -> FloatArray:
        if not values.size:
            return np.zeros(rows.size)
        return np.where(rows >= 0, values[np.maximum(rows, 0)], 0.0)


def lanes_of(watched: Watched) -> list[Lane]:
    """The lanes of the containers of what is watched."""
    return [Lane(watched.autoscaler is not None, watched.key, name) for name in watched.containers]


def _members(watched: Watched) -> list[tuple[Lane, PodContainer, ContainerSeen]]:
    """Every container of every pod, with its lane."""
    return [
        (
            Lane(watched.autoscaler is not None, watched.key, container.name),
            (watched.namespace, container.name, pod.name),
            container,
        )
        for pod in watched.pods
        for container in pod.containers
    ]


def _requests(seen: ContainerSeen) -> dict[str, int]:
    given = {CPU: seen.cpu_milli, MEMORY: seen.memory_milli}
    return {name: amount for name, amount in given.items() if amount is not None}


def _milli(amount: float) -> int:
    return int(min(amount * 1000, 2.0**62))

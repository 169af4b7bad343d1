"""What is known of the use of every watched container: one row of histograms each, fed by samples and kills."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.records import ContainerSize
from controller.vertical.records import CPU, MEMORY
from controller.vertical.status import Recommended
from policies.arrays import FloatArray, IntArray, integers
from policies.resources.estimators import confidence_of
from policies.resources.model import DAY_S, HOUR_S
from policies.resources.peaks import Peaks, applied
from policies.resources.vpa import CPU_WEIGHT, VpaState, recommended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.records import PastSeries
    from controller.vertical.records import ContainerSeen, Watched
    from policies.resources.model import Recommendation
    from policies.resources.peaks import Change

DAY_H = DAY_S / HOUR_S
MINUTE_S = 60.0
OLD_S = 2 * HOUR_S  # from which age of the last sample on that is said


class Lane(NamedTuple):
    """A container of what is watched: by an autoscaler or by a policy alone."""

    of_autoscaler: bool
    watched: str
    container: str


PodContainer = tuple[str, str, str]  # namespace, container, pod


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one lane, as a checkpoint keeps it: total weights, weights by bucket, and wall times."""

    cpu: tuple[float, Mapping[int, int]]
    memory: tuple[float, Mapping[int, int]]
    reference_s: tuple[float, float]
    first_s: float
    last_s: float
    samples: int
    saved_s: float


class Bank:
    """Rows of evidence by lane. A row stays while its container is watched, and nothing but samples changes it.

    Each replica's container has a row of peaks of its own; all of a workload's replicas feed one histogram.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._row: dict[Lane, int] = {}
        self._cpu, self._memory = VpaState.start(0, "cpu"), VpaState.start(0, "memory")
        self._beside = integers(0)  # containers of the pod
        self._kills_after_s = np.zeros(0)  # older kills are in the row already
        self._place: dict[PodContainer, int] = {}
        self._peaks = Peaks.none(0)
        self._kills: dict[PodContainer, float] = {}
        self._killed: dict[Lane, float] = {}
        self._amounts: tuple[Recommendation, Recommendation] | None = None

    def follow(self, watched: Sequence[Watched]) -> None:
        """Have a row for each container of what is watched, and for none else.

        A container without pods now keeps its row, for what it used is still known.
        """
        self._amounts = None
        lanes = {lane: len(each.containers) for each in watched for lane in lanes_of(each)}
        there = {(each.autoscaler is not None, each.key) for each in watched}
        order = list(dict.fromkeys([*self._row, *lanes]))
        order = [lane for lane in order if (lane.of_autoscaler, lane.watched) in there]
        if order != list(self._row):
            self._align(order)
        for lane, beside in lanes.items():
            self._beside[self._row[lane]] = beside
        places = [place for each in watched for _, place, _ in _members(each)]
        if places != list(self._place):
            rows = np.array([self._place.get(place, -1) for place in places], np.int64)
            self._peaks = _peaks_of(self._peaks, rows)
            self._place = {place: row for row, place in enumerate(places)}
            self._kills = {place: at_s for place, at_s in self._kills.items() if place in self._place}

    def empty(self, lane: Lane) -> bool:
        """Whether nothing is known of a lane."""
        return not self._cpu.samples[self._row[lane]]

    def take(
        self, resource: str, watched: Sequence[Watched], values: Mapping[PodContainer, float], now_s: float
    ) -> int:
        """Take in what containers use now, in cores or bytes; returns how many of the values were ours."""
        found = [
            (self._row[lane], self._place[place], values[place])
            for each in watched
            for lane, place, _ in _members(each)
            if place in values
        ]
        for rows, places, used in _one_a_row(found):
            at_s = np.full(rows.size, now_s)
            if resource == CPU:
                self._take_cpu(rows, at_s, used)
            else:
                self._peaked(rows, self._peaks.sample(places, at_s, used.astype(np.int64)))
        return len(found)

    def take_kills(self, watched: Sequence[Watched], now_s: float) -> None:
        """Take in containers that were killed for want of memory within a day, each kill once."""
        found = []
        for each in watched:
            for lane, place, seen in _members(each):
                row, at_s = self._row[lane], seen.oom_at_s
                known_s = max(self._kills.get(place, 0.0), self._kills_after_s[row], now_s - DAY_S)
                if at_s is not None and at_s > known_s:
                    self._kills[place] = self._killed[lane] = at_s
                    found.append((row, self._place[place], (at_s, (seen.memory_milli or 0) // 1000)))
        for rows, places, kills in _one_a_row(found):
            at_s, requested = kills.T
            self._peaked(rows, self._peaks.kill(places, at_s, requested.astype(np.int64)))

    def take_past(self, resource: str, past: Sequence[tuple[Lane, PastSeries]], step_s: float) -> None:
        """Take in what the busiest replica's containers used before: CPU as it is, of memory the peak of each day."""
        known = [(self._row[lane], series) for lane, series in past if len(series.at_s)]
        alone = Peaks.none(len(known))
        for turn in range(max((len(series.at_s) for _, series in known), default=0)):
            there = [place for place, (_, series) in enumerate(known) if turn < len(series.at_s)]
            rows = np.array([known[place][0] for place in there], np.int64)
            at_s = np.array([known[place][1].at_s[turn] for place in there])
            used = np.array([known[place][1].values[turn] for place in there])
            if resource == CPU:
                self._take_cpu(rows, at_s, used)
            else:
                self._peaked(rows, alone.sample(np.array(there, np.int64), at_s, used.astype(np.int64)))
        if resource == CPU:  # a point stands for the minutes up to it
            for row, series in known:
                self._cpu.samples[row] += int(len(series.at_s) * max(0.0, step_s / MINUTE_S - 1))

    def recommended(self, watched: Watched) -> list[Recommended]:
        """What is recommended for the containers that there are, and of which something is known."""
        found = []
        sure = self._confidence()
        for lane in lanes_of(watched):
            row = self._row[lane]
            lower, target, upper = dict[str, int](), dict[str, int](), dict[str, int]()
            for resource, amounts in zip((CPU, MEMORY), self._known_amounts(), strict=True):
                if np.isfinite(amounts.target[row]):
                    lower[resource] = round(amounts.lower[row] * 1000)
                    target[resource] = round(amounts.target[row] * 1000)
                    upper[resource] = round(amounts.upper[row] * 1000)
            if target:
                found.append(Recommended(lane.container, lower, target, upper, young=bool(sure[row] < 1)))
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
            for each in self.recommended(watched)
        )

    def evidence(self, lane: Lane, now_s: float) -> Evidence:
        """What is known of a lane, for a checkpoint."""
        row, cpu, memory = self._row[lane], self._cpu.histograms, self._memory.histograms
        return Evidence(
            cpu=cpu.saved(row),
            memory=memory.saved(row),
            reference_s=(float(cpu.reference_s[row]), float(memory.reference_s[row])),
            first_s=float(self._cpu.first_s[row]),
            last_s=float(self._cpu.last_s[row]),
            samples=int(self._cpu.samples[row]),
            saved_s=now_s,
        )

    def restore(self, lane: Lane, kept: Evidence) -> None:
        """Put a lane's evidence back; kills before it was saved are in it. Raises CheckpointError."""
        row = self._row[lane]
        for state, (total, weights), reference_s in zip(
            (self._cpu, self._memory), (kept.cpu, kept.memory), kept.reference_s, strict=True
        ):
            state.histograms.restore(row, total, weights, reference_s=reference_s)
        self._cpu.first_s[row], self._cpu.last_s[row], self._cpu.samples[row] = kept.first_s, kept.last_s, kept.samples
        self._kills_after_s[row] = kept.saved_s
        self._amounts = None

    def _align(self, order: Sequence[Lane]) -> None:
        """Have the lanes in this order; new ones know nothing."""
        rows = np.array([self._row.get(lane, -1) for lane in order], np.int64)
        self._cpu, self._memory = (_state_of(each, rows) for each in (self._cpu, self._memory))
        self._beside = np.where(rows >= 0, self._beside[rows] if self._beside.size else 1, 1)
        self._kills_after_s = np.where(rows >= 0, self._kills_after_s[rows] if self._kills_after_s.size else 0.0, 0.0)
        self._row = {lane: row for row, lane in enumerate(order)}
        self._killed = {lane: at_s for lane, at_s in self._killed.items() if lane in self._row}

    def _take_cpu(self, rows: IntArray, at_s: FloatArray, cores: FloatArray) -> None:
        state = self._cpu
        state.histograms.add(rows, cores, CPU_WEIGHT, at_s)
        first_s = state.first_s[rows]
        state.first_s[rows] = np.where(np.isneginf(first_s), at_s, np.minimum(first_s, at_s))
        state.last_s[rows] = np.maximum(state.last_s[rows], at_s)
        state.samples[rows] += 1
        self._amounts = None

    def _peaked(self, rows: IntArray, change: Change) -> None:
        applied(self._memory.histograms, rows, change)
        self._amounts = None

    def _confidence(self) -> FloatArray:
        return confidence_of(self._lifespan_s(), self._cpu.samples, DAY_S)

    def _lifespan_s(self) -> FloatArray:
        known = self._cpu.samples > 0
        return np.where(known, self._cpu.last_s - np.where(known, self._cpu.first_s, 0.0), 0.0)

    def _known_amounts(self) -> tuple[Recommendation, Recommendation]:
        """Of CPU and memory; both are as sure as CPU's samples are many."""
        if self._amounts is None:
            cpu, memory = self._cpu, self._memory
            memory = replace(memory, first_s=cpu.first_s, last_s=cpu.last_s, samples=cpu.samples)
            self._amounts = (recommended(cpu, self._beside), recommended(memory, self._beside))
        return self._amounts

    def _why(self, lane: Lane, now_s: float) -> str:
        row = self._row[lane]
        known_h, age_s = self._lifespan_s()[row] / HOUR_S, now_s - self._cpu.last_s[row]
        told = [f"90 % of {known_h:.0f} h of use, a day counting twice the day before, and 15 % more"]
        if (killed_s := self._killed.get(lane)) is not None:
            told.append(
                f"killed for want of memory {(now_s - killed_s) / HOUR_S:.0f} h ago, so its peak counts for more"
            )
        if known_h < DAY_H:
            told.append("less than a day is known, so nothing is lowered yet")
        if age_s > OLD_S:
            told.append(f"nothing was measured for {age_s / HOUR_S:.0f} h, so it stands")
        return "; ".join(told)


def lanes_of(watched: Watched) -> list[Lane]:
    """The lanes of the containers of what is watched."""
    return [Lane(watched.autoscaler is not None, watched.key, name) for name in watched.containers]


def _members(watched: Watched) -> Iterator[tuple[Lane, PodContainer, ContainerSeen]]:
    """Every container of every pod, with its lane."""
    of_autoscaler, key, namespace = watched.autoscaler is not None, watched.key, watched.namespace
    for pod in watched.pods:
        for container in pod.containers:
            yield Lane(of_autoscaler, key, container.name), (namespace, container.name, pod.name), container


def _one_a_row(found: Sequence[tuple[int, int, object]]) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """What was found in parts in which no row comes twice, for a histogram takes one sample at a time."""
    count, parts = dict[int, int](), dict[int, list[tuple[int, int, object]]]()
    for each in found:
        turn = count[each[0]] = count.get(each[0], -1) + 1
        parts.setdefault(turn, []).append(each)
    for part in parts.values():
        rows, places, values = zip(*part, strict=True)
        yield np.array(rows, np.int64), np.array(places, np.int64), np.array(values, np.float64)


def _state_of(state: VpaState, rows: IntArray) -> VpaState:
    held, fresh, there = state.histograms, VpaState.start(rows.size, state.resource), rows >= 0
    into, old = fresh.histograms, rows[there]
    for name in ("weights", "total", "least", "most", "reference_s"):
        getattr(into, name)[there] = getattr(held, name)[old]
    for name in ("first_s", "last_s", "samples"):
        getattr(fresh, name)[there] = getattr(state, name)[old]
    return fresh


def _peaks_of(peaks: Peaks, rows: IntArray) -> Peaks:
    fresh, there = Peaks.none(rows.size, peaks.interval_s), rows >= 0
    for name in ("end_s", "sample_s", "by_use", "by_kill"):
        getattr(fresh, name)[there] = getattr(peaks, name)[rows[there]]
    return fresh


def _requests(seen: ContainerSeen) -> dict[str, int]:
    given = {CPU: seen.cpu_milli, MEMORY: seen.memory_milli}
    return {name: amount for name, amount in given.items() if amount is not None}

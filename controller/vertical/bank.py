"""What is known of the use of every watched container: one row of histograms each, fed by samples and kills."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.records import ContainerSize, Reason
from controller.vertical.lanes import Lane, PodContainer, lanes_of, members
from controller.vertical.own import Own
from controller.vertical.records import CPU, MEMORY, OWN, RESOURCES
from controller.vertical.status import BOUNDS, Recommended, amounts_by_container
from policies.arrays import FloatArray, IntArray, integers
from policies.resources.estimators import confidence_of, pod_minimum
from policies.resources.held import Guide
from policies.resources.model import DAY_S, HOUR_S, Recommendation
from policies.resources.peaks import Peaks, applied
from policies.resources.rows import in_order
from policies.resources.vpa import CPU_WEIGHT, PER_UNIT, POD_LEAST, VpaState, recommended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.records import PastSeries, Spoke
    from controller.vertical.own import Past
    from controller.vertical.records import ContainerSeen, Watched
    from policies.resources.peaks import Change

DAY_H = DAY_S / HOUR_S
MINUTE_S = 60.0
OLD_S = 2 * HOUR_S  # from which age of the last sample on that is said


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

    Each replica's container has a row of peaks of its own; all of a workload's replicas feed one histogram. Beside the
    histograms, which are the vertical autoscaler's method, the same rows are Foresail's own.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.own = Own()
        self._row: dict[Lane, int] = {}
        self._cpu, self._memory = VpaState.start(0, "cpu"), VpaState.start(0, "memory")
        self._beside = integers(0)  # containers of the pod
        self._kills_after_s = np.zeros(0)  # older kills are in the row already
        self._place: dict[PodContainer, int] = {}
        self._peaks = Peaks.none(0)
        self._kills: dict[PodContainer, float] = {}  # the last one of each, if within a day
        self._own_kills: dict[PodContainer, float] = {}
        self._killed: dict[Lane, float] = {}
        self._guide: Guide | None = None

    def follow(self, watched: Sequence[Watched], now_s: float) -> None:
        """Have a row for each container of what is watched, and for none else.

        A container without pods now keeps its row, for what it used is still known.
        """
        self._guide = None
        lanes = {lane: len(each.containers) for each in watched for lane in lanes_of(each)}
        there = {(each.autoscaler is not None, each.key) for each in watched}
        order = list(dict.fromkeys([*self._row, *lanes]))
        order = [lane for lane in order if (lane.of_autoscaler, lane.watched) in there]
        rows = np.array([self._row.get(lane, -1) for lane in order], np.int64)
        if order != list(self._row):
            self._align(order, rows)
        self.own.follow(rows, self._row, watched, now_s)
        for lane, beside in lanes.items():
            self._beside[self._row[lane]] = beside
        places = {place: self._row[lane] for each in watched for lane, place, _ in members(each)}
        before = np.array([self._place.get(place, -1) for place in places], np.int64)
        if list(places) != list(self._place):
            in_order(self._peaks, Peaks.none(1, self._peaks.interval_s), before)
            self._place = {place: row for row, place in enumerate(places)}
            self._kills = {place: at_s for place, at_s in self._kills.items() if place in self._place}
            self._own_kills = {place: at_s for place, at_s in self._own_kills.items() if place in self._place}
        self.own.gather(np.array([*places.values()], np.int64), before)

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
            for lane, place, _ in members(each)
            if place in values
        ]
        places, used = np.array([each[1] for each in found], np.int64), np.array([each[2] for each in found])
        self.own.take(resource, places, used)
        for rows, places, used in _one_a_row(found):
            at_s = np.full(rows.size, now_s)
            if resource == CPU:
                self._take_cpu(rows, at_s, used)
            else:
                self._peaked(rows, self._peaks.sample(places, at_s, used.astype(np.int64)))
        return len(found)

    def take_kills(self, watched: Sequence[Watched], now_s: float) -> None:
        """Take in containers that were killed for want of memory within a day, each kill once."""
        found, own = [], []
        for each in watched:
            for lane, place, seen in members(each):
                row, at_s = self._row[lane], seen.oom_at_s
                if at_s is None or at_s <= now_s - DAY_S:
                    continue
                kill = (row, self._place[place], (at_s, (seen.memory_milli or 0) // 1000))
                if at_s > max(self._kills.get(place, 0.0), self._kills_after_s[row]):
                    self._kills[place] = self._killed[lane] = at_s
                    found.append(kill)
                if at_s > self._own_kills.get(place, 0.0):  # of which no checkpoint tells
                    self._own_kills[place] = at_s
                    own.append(kill)
        for rows, _, kills in _one_a_row(own):
            self.own.kill(rows, kills[:, 1], kills[:, 0])
        for rows, places, kills in _one_a_row(found):
            at_s, requested = kills.T
            self._peaked(rows, self._peaks.kill(places, at_s, requested.astype(np.int64)))
        if found:
            self.own.raise_killed(np.array([row for row, _, _ in found], np.int64), self._known())

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

    def take_whole_past(self, past: Past) -> None:
        """Take in what lanes used before for Foresail's own method."""
        self.own.restore(self._row, past)

    def unread(self, watched: Watched) -> bool:
        """Whether the past of any of its containers is still to be read."""
        return self.own.unread([self._row[lane] for lane in lanes_of(watched)])

    def advance(self, now_s: float) -> None:
        """Decide by what came until now."""
        self.own.advance(self._known(), now_s)

    def recommended(self, watched: Watched, now_s: float) -> list[Recommended]:
        """What is recommended for the containers that there are, and of which something is known."""
        found, amounts = [], self._spoken()
        sure, status = self._confidence(), watched.autoscaler.status if watched.autoscaler else {}
        standing = {bound: amounts_by_container(status, bound) for bound in BOUNDS}
        for lane in lanes_of(watched):
            row = self._row[lane]
            lower, target, upper = (
                {
                    name: round(float(each[row, column]) * 1000)
                    for column, name in enumerate(RESOURCES)
                    if np.isfinite(amounts.target[row, column])
                }
                for each in (amounts.lower, amounts.target, amounts.upper)
            )
            if target:
                young, stands = (
                    bool(sure[row] < 1),
                    self.own.stands(row, now_s) and lane.container in standing["target"],
                )
                if stands:
                    lower, target, upper = (standing[bound].get(lane.container, {}) for bound in BOUNDS)
                found.append(Recommended(lane.container, lower, target, upper, young=young, stands=stands))
        return found

    def sizes(self, watched: Watched, now_s: float) -> tuple[ContainerSize, ...]:
        """The same for people and metrics, with what the containers request, which method spoke, and why."""
        seen = {each.name: each for pod in watched.pods for each in pod.containers}
        return tuple(
            self._size(Lane(watched.autoscaler is not None, watched.key, each.container), each, seen, now_s)
            for each in self.recommended(watched, now_s)
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
        self._guide = None

    def _align(self, order: Sequence[Lane], rows: IntArray) -> None:
        """Have the lanes in this order; new ones know nothing."""
        for state in (self._cpu, self._memory):
            in_order(state, VpaState.start(1, state.resource), rows)
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
        self._guide = None

    def _peaked(self, rows: IntArray, change: Change) -> None:
        applied(self._memory.histograms, rows, change)
        self._guide = None

    def _confidence(self) -> FloatArray:
        return confidence_of(self._lifespan_s(), self._cpu.samples, DAY_S)

    def _lifespan_s(self) -> FloatArray:
        known = self._cpu.samples > 0
        return np.where(known, self._cpu.last_s - np.where(known, self._cpu.first_s, 0.0), 0.0)

    def _known(self) -> Guide:
        """What the vertical autoscaler's method says, `[row, resource]`; both are as sure as CPU's samples are many."""
        if self._guide is None:
            cpu, memory = self._cpu, self._memory
            memory = replace(memory, first_s=cpu.first_s, last_s=cpu.last_s, samples=cpu.samples)
            both = [recommended(state, self._beside) for state in (cpu, memory)]
            least = [pod_minimum(POD_LEAST[name], self._beside) / PER_UNIT[name] for name in RESOURCES]
            lower, target, upper = (
                np.stack([getattr(each, bound) for each in both], axis=1) for bound in ("lower", "target", "upper")
            )
            self._guide = Guide(lower, target, upper, np.stack(least, axis=1))
        return self._guide

    def _spoken(self) -> Recommendation:
        """What the method that speaks recommends, `[row, resource]`."""
        guide, speaks = self._known(), self.own.speaks()
        own = self.own.amounts(guide)
        pairs = ((own.lower, guide.lower), (own.target, guide.target), (own.upper, guide.upper))
        return Recommendation(*(np.where(speaks, mine, theirs) for mine, theirs in pairs))

    def _size(self, lane: Lane, found: Recommended, seen: Mapping[str, ContainerSeen], now_s: float) -> ContainerSize:
        row = self._row[lane]
        spoke = {name: self.own.spoke(row, name) for name in found.target}
        return ContainerSize(
            container=found.container,
            requests=_requests(seen[found.container]),
            lower=found.lower,
            target=found.target,
            upper=found.upper,
            young=found.young,
            why=self._why(lane, spoke, now_s),
            spoke=spoke,
        )

    def _why(self, lane: Lane, spoke: Mapping[str, Spoke], now_s: float) -> str:
        row = self._row[lane]
        known_h, age_s = self._lifespan_s()[row] / HOUR_S, now_s - self._cpu.last_s[row]
        told = [f"{name}: {self.own.why(row, name)}" for name, each in spoke.items() if each.method == OWN]
        if others := {name: each for name, each in spoke.items() if each.method != OWN}:
            cause = " and ".join(f"{name} {_cause(each)}" for name, each in others.items())
            told.append(
                f"{' and '.join(others)}: 90 % of {known_h:.0f} h of use, a day counting twice the day before, and 15 %"
                f" more, as the vertical autoscaler's method has it ({cause})"
            )
        if (killed_s := self._killed.get(lane)) is not None:
            told.append(
                f"killed for want of memory {(now_s - killed_s) / HOUR_S:.0f} h ago, so its peak counts for more"
            )
        if known_h < DAY_H:
            told.append("less than a day is known, so nothing is lowered yet")
        if age_s > OLD_S:
            told.append(f"nothing was measured for {age_s / HOUR_S:.0f} h, so it stands")
        return "; ".join(told)


def _cause(spoke: Spoke) -> str:
    if spoke.reason is Reason.ASKED:
        return "by the annotation of the autoscaler"
    seen = f"{spoke.known_s / HOUR_S:.0f} of {spoke.needed_s / HOUR_S:.0f} h of use"
    return f"with {seen} seen" + (", the past is still to be read" if spoke.reason is Reason.UNREAD else "")


def _one_a_row(found: Sequence[tuple[int, int, object]]) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """What was found in parts in which no row comes twice, for a histogram takes one sample at a time."""
    count, parts = dict[int, int](), dict[int, list[tuple[int, int, object]]]()
    for each in found:
        turn = count[each[0]] = count.get(each[0], -1) + 1
        parts.setdefault(turn, []).append(each)
    for part in parts.values():
        rows, places, values = zip(*part, strict=True)
        yield np.array(rows, np.int64), np.array(places, np.int64), np.array(values, np.float64)


def _requests(seen: ContainerSeen) -> dict[str, int]:
    given = {CPU: seen.cpu_milli, MEMORY: seen.memory_milli}
    return {name: amount for name, amount in given.items() if amount is not None}

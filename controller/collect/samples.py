"""Values by pod: which row of an answer is which pod's, and the request that counts for it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from controller.collect.values import NOWHERE, Sums, find, milli
from policies.arrays import booleans, floats, integers
from policies.hpa.pods import Container, pod_request
from policies.model import UNKNOWN, PodSamples
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.collect.questions import Group, Questions
    from controller.collect.values import Key, Values
    from controller.collect.workloads import Workloads
    from controller.records import ContainerRequest, PodView
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Readings
    from policies.spec import Signal

SAMPLE_WINDOW_S = 60.0  # what a pod's sample is taken to span: the usual window of a rate


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for every pod of a lane whose track is read by pod, and one for every sample without a pod."""

    track: IntArray
    pod: IntArray
    request_milli: IntArray
    present: BoolArray
    value: FloatArray

    @classmethod
    def joined(cls, tables: Sequence[Rows]) -> Rows:
        """All rows, table after table."""
        return cls(
            track=np.concatenate([rows.track for rows in tables]),
            pod=np.concatenate([rows.pod for rows in tables]),
            request_milli=np.concatenate([rows.request_milli for rows in tables]),
            present=np.concatenate([rows.present for rows in tables]),
            value=np.concatenate([rows.value for rows in tables]),
        )

    def samples(self, read: Readings) -> PodSamples:
        """The rows as samples, sorted by track, a track's samples without a pod last."""
        if not self.track.size:
            return PodSamples.none()
        order = np.argsort(self.track, kind="stable")
        track = self.track[order]
        return PodSamples(
            track=track,
            pod=self.pod[order],
            present=self.present[order],
            value_milli=milli(self.value[order]),
            age_s=read.age_s[track],
            window_s=floats(track.size, SAMPLE_WINDOW_S),
            request_milli=self.request_milli[order],
        )


@dataclass(frozen=True, slots=True)
class _Own:
    """What one track asks of its lane's pods, whose keys and requests change only when they do."""

    pods: Sequence[PodView]
    keys: tuple[Key, ...]
    request_milli: tuple[int, ...]

    @classmethod
    def of(cls, signal: Signal, key: Key, pods: Sequence[PodView]) -> _Own:
        return cls(pods, tuple((*key, pod.name) for pod in pods), tuple(_request(signal, pod) for pod in pods))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rows that the pods of one group of tracks make."""

    keys: tuple[Key, ...]
    track: IntArray
    pod: IntArray
    request_milli: IntArray


class Samples:
    """Remembers what each track asks of its pods."""

    def __init__(self, questions: Questions) -> None:
        """Take these questions."""
        self._questions = questions
        self._own: list[_Own | None] = [None] * len(questions.signals)
        self._plans: dict[int, _Plan] = {}
        self._of_key = {number: _by_key(group) for number, group in enumerate(questions.groups) if group.query.per_pod}

    def read(self, values: Sequence[Values], workloads: Workloads) -> tuple[Sums, Rows]:
        """What the answers hold for each track, and the rows of those that are read by pod."""
        sums = Sums.none(len(self._own))
        found = [Rows(integers(0), integers(0), integers(0), booleans(0), floats(0))]
        for number, (group, answer) in enumerate(zip(self._questions.groups, values, strict=True)):
            if not group.query.per_pod:
                sums.put(group.tracks, answer, find(answer.rows, group.keys))
                continue
            if workloads.changed or number not in self._plans:
                self._plans[number] = self._plan(group, workloads)
            found += self._by_pod(number, answer, sums)
        return sums, Rows.joined(found)

    def _by_pod(self, number: int, answer: Values, sums: Sums) -> tuple[Rows, Rows]:
        plan = self._plans[number]
        row = find(answer.rows, plan.keys)
        present = row != NOWHERE
        value = floats(row.size)
        value[present] = answer.value[row[present]]
        sums.add(plan.track[present], answer, row[present])
        track, row = _left(answer, (plan.track[present], row[present]), self._of_key[number])
        sums.add(track, answer, row)
        unknown = integers(track.size, UNKNOWN)
        left = Rows(track, unknown, unknown, booleans(track.size, value=True), answer.value[row])
        return Rows(plan.track, plan.pod, plan.request_milli, present, value), left

    def _plan(self, group: Group, workloads: Workloads) -> _Plan:
        own, tracks = [], group.tracks.tolist()
        lanes = np.array([self._questions.lanes[track] for track in tracks], np.int64)
        for track, lane, key in zip(tracks, lanes.tolist(), group.keys, strict=True):
            kept, pods = self._own[track], workloads.views[lane]
            if kept is None or kept.pods is not pods:
                kept = self._own[track] = _Own.of(self._questions.signals[track], key, pods)
            own.append(kept)
        sizes = np.diff(workloads.first)[lanes]
        begin = np.cumsum(sizes) - sizes
        return _Plan(
            keys=tuple(chain.from_iterable(each.keys for each in own)),
            track=np.repeat(group.tracks, sizes),
            pod=np.arange(sizes.sum(), dtype=np.int64) + np.repeat(workloads.first[lanes] - begin, sizes),
            request_milli=_whole(chain.from_iterable(each.request_milli for each in own)),
        )


def _by_key(group: Group) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for track, key in zip(group.tracks.tolist(), group.keys, strict=True):
        found.setdefault(key, []).append(track)
    return found


def _left(
    answer: Values, taken: tuple[IntArray, IntArray], of_key: Mapping[Key, Sequence[int]]
) -> tuple[IntArray, IntArray]:
    """Track and row of every sample that is none of the track's pods'; `taken` are the tracks and rows that are."""
    rows = np.arange(len(answer.rows))
    pairs: set[tuple[int, int]] = set()
    if all(len(tracks) == 1 for tracks in of_key.values()):
        used = booleans(rows.size)
        used[taken[1]] = True
        rows = rows[~used]
    else:
        pairs.update(zip(*(each.tolist() for each in taken), strict=True))
    keys = tuple(answer.rows) if rows.size else ()
    of_row = ((track, row) for row in rows.tolist() for track in of_key.get(keys[row][:-1], ()))
    left = np.array([each for each in of_row if each not in pairs], np.int64).reshape(-1, 2)
    return left[:, 0], left[:, 1]


def _whole(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, np.int64)


def _request(signal: Signal, pod: PodView) -> int:
    """The request that counts for a pod under this signal, UNKNOWN where it has none."""
    if not isinstance(signal, DemandSignal) or signal.capacity_from_request is None:
        return UNKNOWN
    request = signal.capacity_from_request
    return request_milli(pod, request.resource, request.container)


def request_milli(pod: PodView, resource: str, container: str | None) -> int:
    """The request in milli-units that counts for a pod, UNKNOWN when a container has none."""
    cpu = resource == "cpu"

    def containers(rows: Sequence[ContainerRequest]) -> list[Container]:
        return [Container(row.name, row.cpu_milli if cpu else row.memory_milli, row.restart_always) for row in rows]

    try:
        return pod_request(
            containers(pod.containers),
            containers(pod.init_containers),
            pod_level_milli=pod.pod_cpu_milli if cpu else pod.pod_memory_milli,
            only=container,
        )
    except KeyError:
        return UNKNOWN

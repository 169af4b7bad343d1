"""The collector asks the sources and builds the observation of a tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.collect.questions import Questions, by_pod
from controller.collect.readings import Coverage, Values, milli, readings_of
from controller.collect.workloads import Workloads, holds, pod_table, replicas_of, request_milli
from controller.records import Unanswered
from policies.hpa.pods import ready_pods
from policies.model import UNKNOWN, Applied, Observation, PodSamples
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.collect.workloads import PodColumns
    from controller.ports import MetricsSource
    from controller.records import Answer, ClusterView, Outcome, PodView, PolicySet
    from policies.forecast.seasonal import SeasonalFit
    from policies.history import Backfill
    from policies.model import Fleet, Readings
    from policies.spec import Signal

SAMPLE_WINDOW_S = 60.0  # what a pod's sample is taken to span: the usual window of a rate


@dataclass(frozen=True, slots=True)
class News:
    """What else came in since the last tick."""

    outcomes: tuple[Outcome, ...] = ()
    fit: SeasonalFit | None = None
    backfill: Backfill | None = None


@dataclass(slots=True)
class Collector:
    """Asks a metrics source for a fleet's signals and joins the answers with the cluster's view."""

    source: MetricsSource
    questions: Questions = field(default_factory=lambda: Questions((), (), (), ()))
    workloads: Workloads = field(default_factory=Workloads)
    coverage: Coverage = field(default_factory=Coverage)

    def prepare(self, policies: PolicySet) -> None:
        """Take these policies' questions from now on."""
        self.questions = Questions.of(policies.policies)
        self.workloads.forget_all_but(self.questions.targets)
        self.coverage.forget()

    async def ask(self, *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        """All answers of this tick, in the order of the questions."""
        return await self.source.ask(self.questions.queries, at_s=at_s, deadline_s=deadline_s)

    def observation(
        self, fleet: Fleet, answers: Sequence[Answer], view: ClusterView, now_s: float, news: News
    ) -> Observation:
        """One observation for `fleet`, whose policies were last given to `prepare`."""
        targets = self.questions.targets
        columns = self.workloads.pods(targets, view)
        pods = pod_table(columns, now_s)
        spec, status = replicas_of(targets, view)
        values = [Values.of(answer) for answer in answers]
        ready = ready_pods(pods, fleet.lanes)[fleet.tracks.lane]
        readings = readings_of(self.questions, values, self.coverage, ready, now_s)
        return Observation(
            now_s=now_s,
            spec_replicas=spec,
            status_replicas=status,
            pods_per_replica=self.workloads.pods_per_replica(targets, columns, (spec, status)),
            hold=holds(targets, view, fleet.mode, now_s),
            readings=readings,
            pods=pods,
            samples=self._samples(fleet, (columns, view), values, readings),
            starts=self.workloads.starts(targets, columns, now_s),
            applied=_applied(fleet, news.outcomes),
            fit=news.fit,
            backfill=news.backfill,
        )

    def _samples(
        self, fleet: Fleet, seen: tuple[Sequence[PodColumns], ClusterView], values: Sequence[Values], read: Readings
    ) -> PodSamples:
        """One row for every pod of a lane whose track is read by pod, and one for every sample without a pod."""
        columns, view = seen
        first = np.concatenate([[0], np.cumsum([len(pods.names) for pods in columns])])
        rows: list[tuple[int, int, bool, int, float, float, int]] = []
        for track, signal in enumerate(self.questions.signals):
            if not by_pod(signal):
                continue
            place, lane = self.questions.places[track], int(fleet.tracks.lane[track])
            found = dict(values[place.query].by_pod.get(place.key, {}))
            age_s = float(read.age_s[track])
            pods = view.pods.get(self.questions.targets[lane], ())
            for row, pod in enumerate(pods):
                sample = found.pop(pod.name, None)
                value, request = _milli(sample), _request(signal, pod)
                present = sample is not None
                rows.append((track, int(first[lane]) + row, present, value, age_s, SAMPLE_WINDOW_S, request))
            rows += [(track, UNKNOWN, True, _milli(left), age_s, SAMPLE_WINDOW_S, UNKNOWN) for left in found.values()]
        return _table(rows)

    def problems(self, answers: Sequence[Answer]) -> tuple[str, ...]:
        """What went wrong with the queries, in words."""
        return tuple(f"{answer.query.text}: {answer.message}" for answer in answers if isinstance(answer, Unanswered))


def _request(signal: Signal, pod: PodView) -> int:
    if not isinstance(signal, DemandSignal) or signal.capacity_from_request is None:
        return UNKNOWN
    request = signal.capacity_from_request
    return request_milli(pod, request.resource, request.container)


def _milli(sample: Sequence[float] | None) -> int:
    if not sample or not np.isfinite(sample).all():
        return 0
    return milli(sum(sample))


def _table(rows: Sequence[tuple[int, int, bool, int, float, float, int]]) -> PodSamples:
    if not rows:
        return PodSamples.none()
    columns = zip(*rows, strict=True)
    types = (np.int64, np.int64, np.bool_, np.int64, np.float64, np.float64, np.int64)
    return PodSamples(*(np.array(values, kind) for values, kind in zip(columns, types, strict=True)))


def _applied(fleet: Fleet, outcomes: Sequence[Outcome]) -> Applied:
    """The changes that were carried out, sorted by lane."""
    place = {uid: lane for lane, uid in enumerate(fleet.uid)}
    done = [
        (place[outcome.order.uid], outcome)
        for outcome in outcomes
        if outcome.result == "applied" and outcome.order.uid in place
    ]
    done.sort(key=lambda row: row[0])
    return Applied(
        lane=np.array([lane for lane, _ in done], np.int64),
        at_s=np.array([outcome.at_s for _, outcome in done], np.float64),
        before=np.array([outcome.order.before for _, outcome in done], np.int64),
        after=np.array([outcome.order.after for _, outcome in done], np.int64),
    )

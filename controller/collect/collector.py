"""The collector asks the sources and builds the observation of a tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.collect.coverage import Coverage
from controller.collect.gpus import ReplicaGpus
from controller.collect.places import Standing
from controller.collect.questions import Questions
from controller.collect.readings import readings_of
from controller.collect.samples import Samples
from controller.collect.values import Values
from controller.collect.workloads import Workloads
from controller.records import PolicySet, Unanswered
from policies.arrays import integers
from policies.budget_terms import GPUS
from policies.fleet import fleet_of
from policies.hpa.pods import listed_pods, ready_pods
from policies.lateness import PER_MILLE
from policies.model import UNKNOWN, Applied, Kind, Observation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.collect.values import Sums
    from controller.ports import MetricsSource
    from controller.records import Answer, ClusterView, Outcome
    from policies.arrays import IntArray
    from policies.history import Backfill
    from policies.lead_time import Learned
    from policies.model import Fleet, Pods


@dataclass(frozen=True, slots=True)
class News:
    """What else came in since the last tick."""

    outcomes: tuple[Outcome, ...] = ()
    learned: Learned | None = None
    backfill: Backfill | None = None


class Collector:
    """Asks a metrics source for a fleet's signals and joins the answers with the cluster's view."""

    def __init__(self, source: MetricsSource) -> None:
        """Ask `source`; nothing before `prepare`."""
        self.source = source
        self.questions = Questions.of(())
        self.workloads = Workloads()
        self.coverage = Coverage()
        self.standing = Standing()
        self.gpus = ReplicaGpus()
        self._policies = PolicySet(())
        self._samples = Samples(self.questions)

    def prepare(self, policies: PolicySet) -> None:
        """Take these policies' questions from now on; what is remembered of others is forgotten."""
        self._policies, self.questions = policies, Questions.of(policies.policies)
        self._samples = Samples(self.questions)
        targets, places, queries = self.questions.targets, self.questions.places, self.questions.queries
        self.workloads.follow(targets, self.questions.surges)
        self.standing.follow(self.questions.surges)
        self.coverage.follow(
            [
                (queries[place.query], place.key, targets[lane])
                for place, lane in zip(places, self.questions.lanes, strict=True)
            ]
        )

    def recall(self, fleet: Fleet, seen: Observation) -> None:
        """Take up what was last seen of `fleet` before a restart, where nothing is known since. After `prepare`.

        Restores how many pods make a replica, which of them have told how long they took to start, and how many scrape
        targets each series rests on.
        """
        now = fleet_of(self._policies.policies)
        per_replica = dict(zip(fleet.uid, seen.pods_per_replica.tolist(), strict=True))
        pairs = zip(now.uid, self.questions.targets, strict=True)
        known_before = {target: per_replica[uid] for uid, target in pairs if uid in per_replica}
        self.workloads.recall(known_before, seen.now_s)
        before = {uid: track for track, uid in enumerate(fleet.tracks.uid)}
        old = np.array([before.get(uid, UNKNOWN) for uid in now.tracks.uid], np.int64)
        known = old != UNKNOWN
        targets, pods = integers(old.size, UNKNOWN), np.zeros((2, old.size), np.int64)
        targets[known] = seen.readings.targets[old[known]]
        pods[:, known] = _pods_of(fleet, seen.pods)[:, old[known]]
        self.coverage.recall(targets, pods, seen.now_s)

    async def ask(self, *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        """All answers of this tick, in the order of the questions."""
        return await self.source.ask(self.questions.queries, at_s=at_s, deadline_s=deadline_s)

    def observation(
        self, fleet: Fleet, answers: Sequence[Answer], view: ClusterView, now_s: float, news: News
    ) -> Observation:
        """One observation for `fleet`, whose policies were last given to `prepare`.

        May run in another thread, one call at a time and none beside `prepare` or `recall`.
        """
        work = self.workloads
        work.look(view)
        pods = work.pods(now_s)
        values = [Values.of(answer) for answer in answers]
        sums, rows = self._samples.read(values, work)
        _late_shares(fleet, sums)
        asked, pods_per_replica = (self.questions.groups, values), work.pods_per_replica()
        gpus_milli = self.gpus.look(self.questions.targets, work, pods_per_replica)
        readings = readings_of(asked, sums, self.coverage, _pods_of(fleet, pods), now_s)
        return Observation(
            now_s=now_s,
            spec_replicas=work.targets.spec_replicas,
            status_replicas=work.targets.status_replicas,
            pods_per_replica=pods_per_replica,
            hold=work.targets.holds(view, fleet.mode, now_s),
            readings=readings,
            pods=pods,
            samples=rows.samples(readings),
            starts=work.starts(now_s),
            applied=_applied(fleet, news.outcomes),
            learned=news.learned,
            backfill=news.backfill,
            places=self.standing.look(view, self.questions.targets, fleet.mode),
            gpus_milli=gpus_milli if fleet.budget.caps(GPUS) else None,
            gpu_room=self.gpus.room(view.quotas, fleet, pods_per_replica),
            fixed=work.targets.fixed,
            rolling=work.targets.rolling,
        )

    def problems(self, answers: Sequence[Answer]) -> tuple[str, ...]:
        """What went wrong with the queries, and annotations that cannot be used, in words."""
        unanswered = (answer for answer in answers if isinstance(answer, Unanswered))
        return (*(f"{each.query.text}: {each.message}" for each in unanswered), *self.workloads.targets.problems)


def _pods_of(fleet: Fleet, pods: Pods) -> IntArray:
    """Ready and listed pods of each track's lane, `[2, track]`."""
    of_lane = np.stack([ready_pods(pods, fleet.lanes), listed_pods(pods, fleet.lanes)])
    found: IntArray = of_lane[:, fleet.tracks.lane]
    return found


def _late_shares(fleet: Fleet, found: Sums) -> None:
    """Bring what late tracks were told into the unit of their readings; what is no share cannot be used."""
    late = fleet.tracks.kind == Kind.LATE
    found.wrong[late & (found.value > 1.0)] = True
    found.value[late] *= PER_MILLE


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

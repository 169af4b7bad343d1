"""The vertical loop: once a minute the use of containers is taken in, and what they should request written."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from controller.clock import or_stop
from controller.errors import Conflict, ForesailError, Rejected
from controller.loop.supervisor import Failure
from controller.records import Answered, SizedWorkload, TargetRef
from controller.vertical.bank import Bank
from controller.vertical.checkpoints import Checkpoints
from controller.vertical.past import PastUsage
from controller.vertical.queries import usage_now
from controller.vertical.records import RESOURCES
from controller.vertical.status import Told, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from controller.loop.supervisor import Supervisor
    from controller.ports import Clock, MetricsSource
    from controller.records import PolicySet
    from controller.vertical.lanes import PodContainer
    from controller.vertical.records import Autoscaler, Document, VerticalCluster, Watched

log = structlog.get_logger("foresail.vertical")

PERIOD_S = 60.0  # as the stock recommender
GLANCE_S = 5.0  # as often changed policies are looked for
DEADLINE_S = 20.0  # for all queries of a round
STALE_S = 180.0  # a sample that is older is none
WRITES_AT_ONCE = 8
TRIES = 3  # of a write that meets a newer version of the object


@dataclass(frozen=True, slots=True)
class VerticalParts:
    """What the loop works with."""

    clock: Clock
    source: MetricsSource
    cluster: VerticalCluster
    supervisor: Supervisor


@dataclass(frozen=True, slots=True)
class VerticalReport:
    """What a round saw and did. `writes` counts outcomes: written, unchanged, conflict, rejected and unavailable."""

    at_s: float
    workloads: tuple[SizedWorkload, ...] = ()
    writes: Mapping[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    samples: int = 0
    unread: int = 0  # watched, and their past is still to be read
    problems: tuple[str, ...] = ()

    @property
    def by_policy(self) -> dict[str, SizedWorkload]:
        """What is watched because of a policy, by uid."""
        return {each.policy: each for each in self.workloads if each.policy is not None}


class VerticalLoop:
    """Watches, learns, writes and shows, a minute at a time. It writes nothing while `killed` gives a reason."""

    def __init__(
        self,
        parts: VerticalParts,
        policies: Callable[[], PolicySet],
        killed: Callable[[], str | None],
        show: Callable[[VerticalReport], None],
    ) -> None:
        """Know nothing yet; `policies` and `killed` are asked every round."""
        self.parts = parts
        self.bank = Bank()
        self._policies, self._killed, self._show = policies, killed, show
        self._checkpoints = Checkpoints(parts.cluster, self.bank)
        self._past = PastUsage(parts.source, parts.clock, self.bank)
        self._told: frozenset[str] = frozenset()
        self._digest = ""  # of the policies of the last round

    async def run(self, stop: asyncio.Event) -> None:
        """Go round every minute until `stop` is set; what was learned since the last checkpoint is then kept."""
        clock = self.parts.clock
        await self._pause(stop, clock.elapsed_s() + PERIOD_S)  # until policies are read, which say what is watched
        while not stop.is_set():
            began_s = clock.elapsed_s()
            await or_stop(stop, self._go_round())
            await self._pause(stop, began_s + PERIOD_S)
        await self.parts.supervisor.guarded("keep what was learned", self._checkpoints.keep_all(clock.now_s()))

    async def _go_round(self) -> None:
        report = await self.parts.supervisor.guarded("size containers", self.round())
        if not isinstance(report, Failure):
            self._show(report)

    async def _pause(self, stop: asyncio.Event, until_s: float) -> None:
        """Wait for the next round; policies that have changed are not kept waiting."""
        clock = self.parts.clock
        while not stop.is_set() and clock.elapsed_s() < until_s and self._policies().digest == self._digest:
            await or_stop(stop, clock.sleep(min(GLANCE_S, until_s - clock.elapsed_s())))

    async def round(self) -> VerticalReport:
        """One round. Raises nothing that the cluster or the source may fail with."""
        now_s = self.parts.clock.now_s()
        policies = self._policies()
        self._digest = policies.digest
        namespaces = {policy.metadata.namespace for policy in policies.policies}
        watched = await self.parts.cluster.watched(_targets(policies), namespaces)
        await asyncio.to_thread(self.bank.follow, watched, now_s)  # of thousands of containers it takes a second
        problems = await self._checkpoints.restore(watched)
        problems += await self._past.read_some(watched, now_s)
        await asyncio.to_thread(self.bank.advance, now_s)
        samples, unheard = await self._take_usage(watched, now_s)
        await asyncio.to_thread(self.bank.take_kills, watched, now_s)
        killed = self._killed()
        writes, refused = (Counter[str](), list[str]()) if killed else await self._write_all(watched, now_s)
        kept, failed = (0, list[str]()) if killed else await self._checkpoints.keep_due(now_s)
        told = tuple(dict.fromkeys([*self.parts.cluster.problems(), *problems, *unheard, *refused, *failed]))
        self._log(told)
        workloads = await asyncio.to_thread(self._sized, watched, now_s)
        return VerticalReport(now_s, workloads, writes, kept, samples, self._past.unread(watched), told)

    def _sized(self, watched: Sequence[Watched], now_s: float) -> tuple[SizedWorkload, ...]:
        return tuple(
            SizedWorkload(
                each.target,
                each.key if each.autoscaler else None,
                each.policy,
                self.bank.sizes(each, now_s),
                each.problem,
            )
            for each in watched
            if each.target is not None
        )

    async def _take_usage(self, watched: Sequence[Watched], now_s: float) -> tuple[int, list[str]]:
        """What containers use now goes to the bank; returns the number of samples, and what was not answered."""
        namespaces = {each.namespace for each in watched if each.pods}
        queries = {query: resource for resource in RESOURCES for query in usage_now(resource, namespaces)}
        if not queries:
            return 0, []
        answers = await self.parts.source.ask(list(queries), at_s=now_s, deadline_s=DEADLINE_S)
        taken, unheard = 0, list[str]()
        for answer in answers:
            if isinstance(answer, Answered):
                fresh = _fresh(answer, now_s)
                taken += await asyncio.to_thread(self.bank.take, queries[answer.query], watched, fresh, now_s)
            else:
                unheard.append(f"usage of {queries[answer.query]}: {answer.message}")
        return taken, unheard

    async def _write_all(self, watched: Iterable[Watched], now_s: float) -> tuple[Counter[str], list[str]]:
        limit = asyncio.Semaphore(WRITES_AT_ONCE)

        async def one(each: Watched) -> tuple[str, str]:
            async with limit:
                return await self.written(each, now_s)

        found = await asyncio.gather(*(one(each) for each in watched if each.autoscaler is not None))
        return Counter(result for result, _ in found), [words for _, words in found if words]

    async def written(self, watched: Watched, now_s: float) -> tuple[str, str]:
        """How the write of one autoscaler's status ended, and what went wrong in words."""
        autoscaler: Autoscaler | None = watched.autoscaler
        try:
            for _ in range(TRIES):
                if autoscaler is None or (status := self._status(watched, autoscaler, now_s)) is None:
                    return "unchanged", ""
                try:
                    await self.parts.cluster.write(autoscaler, status)
                except Conflict:
                    autoscaler = await self.parts.cluster.read(autoscaler)
                else:
                    return "written", ""
        except Rejected as error:
            return "rejected", str(error)
        except ForesailError as error:
            return "unavailable", str(error)
        return "conflict", f"VerticalPodAutoscaler {watched.key} changes faster than its status can be written"

    def _status(self, watched: Watched, autoscaler: Autoscaler, now_s: float) -> Document | None:
        trouble = autoscaler.trouble or (watched.problem if watched.lasting else None)
        told = Told(
            recommended=self.bank.recommended(watched, now_s),
            containers=watched.containers,
            matched=None if watched.problem is not None or autoscaler.target is None else bool(watched.pods),
            trouble=trouble,
            at_s=now_s,
        )
        return status_of(autoscaler, told)

    def _log(self, problems: Sequence[str]) -> None:
        """Each problem once while it lasts."""
        for problem in problems:
            if problem not in self._told:
                log.warning("vertical", err=problem)
        self._told = frozenset(problems)


def _targets(policies: PolicySet) -> dict[str, TargetRef]:
    """What policies ask to be watched, by uid."""
    found = {}
    for policy in policies.policies:
        if policy.spec.resources == "recommend":
            target = policy.spec.target
            found[policy.uid] = TargetRef(target.api_version, target.kind, policy.metadata.namespace, target.name)
    return found


def _fresh(answer: Answered, now_s: float) -> dict[PodContainer, float]:
    """Values of an answer by namespace, container and pod, but for those that nobody has measured lately."""
    newest = answer.newest_at_s
    return {
        (key[0], key[1], key[2]): value
        for key, value in zip(answer.keys, answer.values, strict=True)
        if value >= 0 and (newest is None or now_s - newest.get(key[:2], now_s) <= STALE_S)
    }

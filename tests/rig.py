"""The whole loop on virtual time: a simulated cluster, a source whose load the test sets, and policies in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.loop import Loop, Pace, Parts
from controller.records import Answered, PastSeries, PolicySet, TargetRef, Unanswered
from policies.model import Limits, Why
from policies.spec import policy_from
from simulations.clock import VirtualClock
from simulations.cluster import Machine, SimulatedCluster, StartUp, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.journal import Journal
    from controller.ports import MetricsSource
    from controller.records import Answer, Event, SignalQuery, TickReport
    from policies.budget import Budget
    from policies.spec import WorkloadPolicy

START_S = 1_700_000_000.0


def policy(name: str = "web", **spec: object) -> WorkloadPolicy:
    """An active policy on Deployment shop/NAME: one replica serves 10, so Kubernetes' rule aims at 7."""
    signal = {"name": "load", "kind": "demand", "query": "load", "match": {"app": "$name"}, "capacityPerReplica": 10}
    return policy_from(
        {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "WorkloadPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "mode": "active",
                "replicas": {"min": 1, "max": 50},
                "signals": [signal],
                **spec,
            },
        },
        source="test",
    )


@dataclass
class LoadSource:
    """Answers with the load that the test sets by app; None means that the source is down."""

    clock: VirtualClock
    load: dict[str, float] | None = field(default_factory=dict)
    age_s: float = 1.0
    past_series: list[PastSeries] = field(default_factory=list)

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        assert deadline_s > 0
        return [self._answer(query, at_s) for query in queries]

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        assert query.text
        assert step_s > 0
        assert deadline_s > 0
        return [
            PastSeries(
                series.key,
                [at_s for at_s in series.at_s if start_s <= at_s <= end_s],
                [value for at_s, value in zip(series.at_s, series.values, strict=True) if start_s <= at_s <= end_s],
            )
            for series in self.past_series
        ]

    def _answer(self, query: SignalQuery, at_s: float) -> Answer:
        if self.load is None:
            return Unanswered(query, Why.SOURCE_DOWN, "connection refused")
        keys: list[tuple[str, ...]] = [(app,) for app in self.load]
        newest = dict.fromkeys(keys, at_s - self.age_s)
        return Answered(query, keys, list(self.load.values()), newest, dict.fromkeys(keys, 1))


@dataclass
class ListedPolicies:
    """Policies that the test sets."""

    policies: list[WorkloadPolicy]
    version: int = 0
    budgets: tuple[Budget, ...] = ()

    async def read(self) -> PolicySet:
        return PolicySet(tuple(self.policies), digest=f"{self.version}", budgets=self.budgets)


@dataclass
class KeptEvents:
    """Keeps what would have been posted."""

    events: list[Event] = field(default_factory=list)

    async def emit(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class Rig:
    """One loop and its world; `restart` makes a new loop in the same world."""

    policies: ListedPolicies
    journal: Journal | None = None
    limits: Limits = field(default_factory=lambda: Limits(removal_ratio=1.0))
    replicas: int = 2
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_S))
    reports: list[TickReport] = field(default_factory=list)
    reads: MetricsSource | None = None  # in place of the source whose load the test sets

    def __post_init__(self) -> None:
        self.source = LoadSource(self.clock)
        self.events = KeptEvents()
        self.cluster = SimulatedCluster(self.clock, Machine(StartUp(30.0)))
        for each in self.policies.policies:
            self.cluster.add(Workload(self.ref(each.metadata.name), self.replicas))
        self.restart()

    def restart(self) -> None:
        """A new loop, which remembers only what the journal does."""
        parts = Parts(
            clock=self.clock,
            policies=self.policies,
            source=self.reads or self.source,
            cluster=self.cluster,
            actuator=self.cluster,
            events=self.events,
            journal=self.journal,
        )
        self.loop = Loop(parts, Pace(limits=self.limits), self.reports.append)

    @staticmethod
    def ref(name: str) -> TargetRef:
        return TargetRef("apps/v1", "Deployment", "shop", name)

    def scale_of(self, name: str = "web") -> int:
        """The wanted replicas that the cluster holds."""
        return self.cluster.view().targets[self.ref(name)].spec_replicas

    def last(self) -> TickReport:
        return self.reports[-1]

    async def ticks(self, count: int = 1) -> None:
        """So many ticks, 15 s apart."""
        for _ in range(count):
            await self.loop.tick()
            self.clock.advance(15.0)

"""The world of a script: the real loop on virtual time, with faults between it and a simulated cluster."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from controller.errors import Unavailable
from controller.loop import Loop, Pace, Parts
from controller.records import Quota
from policies.model import Limits
from policies.pretraining import learned_of
from simulations.clock import VirtualClock
from simulations.cluster import Machine, SimulatedCluster, StartUp, Workload
from tests.rig import START_S, KeptEvents, ListedPolicies, LoadSource, Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from controller.journal import Journal
    from controller.records import Answer, ClusterView, ScaleOrder, SignalQuery, TargetRef, TickReport

GPU = "requests.nvidia.com/gpu"
MILLI = 1000


@dataclass
class DaemonClock:
    """The clock of the daemon's machine, which may be off; time passes for it as for all."""

    true: VirtualClock
    off_s: float = 0.0

    def now_s(self) -> float:
        return self.true.now_s() + self.off_s

    def elapsed_s(self) -> float:
        return self.true.elapsed_s()

    async def sleep(self, seconds: float) -> None:
        await self.true.sleep(seconds)


@dataclass
class Server(LoadSource):
    """A metrics source that has the right time, whatever the daemon's clock says."""

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        del at_s
        return await super().ask(queries, at_s=self.clock.now_s(), deadline_s=deadline_s)


@dataclass
class Front:
    """What the daemon sees of the cluster, by watches that may stand still, and how its writes fare."""

    cluster: SimulatedCluster
    clock: DaemonClock
    throttled: bool = False
    kept: ClusterView | None = None  # what the watches brought last, while they stand still
    gpus: int | None = None  # that the namespace's quota has; each pod takes one
    tried: int = 0  # writes

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        await self.cluster.follow(targets, nodes=nodes)

    def view(self) -> ClusterView:
        if self.kept is not None:
            return self.kept
        seen = self.cluster.view()
        seen = replace(seen, seen_at_s=seen.seen_at_s + self.clock.off_s)
        return seen if self.gpus is None else _with_quota(seen, self.gpus)

    async def scale(self, order: ScaleOrder) -> None:
        self.tried += 1
        if self.throttled:
            raise Unavailable("the API server answers 429: too many requests")
        await self.cluster.scale(order)


def _with_quota(seen: ClusterView, gpus: int) -> ClusterView:
    pods = {ref: [replace(pod, charge=((GPU, MILLI),)) for pod in of_ref] for ref, of_ref in seen.pods.items()}
    left = max(0, gpus - sum(map(len, pods.values()))) * MILLI
    return replace(seen, pods=pods, quotas={"shop": [Quota("shop", "gpus", ((GPU, left),))]})


class AtOnce(Executor):
    """Learns while the loop waits, so that a script goes the same way each time.

    What is fitted for people alone never enters a decision, and is left undone.
    """

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:  # noqa: ANN401
        future: Future[Any] = Future()
        if getattr(work, "func", work) is learned_of:
            future.set_result(work(*args, **named))
        return future


@dataclass
class Stage:
    """One loop and its world; `restart` makes a new loop in the same world."""

    policies: ListedPolicies
    replicas: dict[str, int]  # at the beginning, ready
    journal: Journal | None = None
    limits: Limits = field(default_factory=lambda: Limits(removal_ratio=1.0))
    startup_s: float = 30.0
    start_s: float = START_S
    reports: list[TickReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.time = VirtualClock(self.start_s)
        self.clock = DaemonClock(self.time)
        self.source = Server(self.time)
        self.cluster = SimulatedCluster(self.time, Machine(StartUp(self.startup_s)))
        for name, count in self.replicas.items():
            self.cluster.add(Workload(Rig.ref(name), count))
        self.front = Front(self.cluster, self.clock)
        self.begin()

    def restart(self) -> None:
        """The loop ends, and a new one begins, which remembers only what the journal does."""
        self.stop()
        self.begin()

    def stop(self) -> None:
        """Nothing goes on beside the loop."""
        self.loop.learning.stop()
        self.loop.planning.stop()

    def begin(self) -> None:
        """Make the loop; nothing is done before its first tick."""
        parts = Parts(
            clock=self.clock,
            policies=self.policies,
            source=self.source,
            cluster=self.front,
            actuator=self.front,
            events=KeptEvents(),
            journal=self.journal,
            executor=AtOnce(),
        )
        self.loop = Loop(parts, Pace(limits=self.limits), self.reports.append)

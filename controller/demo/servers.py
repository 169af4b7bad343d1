"""The simulated model servers: a fluid queue per workload, filled by its load and emptied by its ready replicas."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.demo.engine import Engine, free_gpu
from controller.demo.load import SERVING_LIMIT
from simulations.serving import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.demo.load import Load, Workload
    from controller.ports import Clock
    from controller.records import PodView
    from simulations.cluster import SimulatedCluster

QUEUE_S = 6.0  # a queue that would take longer than this to serve turns requests away


PAST = 100  # moments that are remembered


@dataclass(slots=True)
class FluidQueue:
    """Requests as a fluid: what has arrived, was served, waits, was turned away, and was late."""

    capacity: float  # requests/s of one replica
    arrived: float = 0.0
    served: float = 0.0
    waiting: float = 0.0
    rejected: float = 0.0
    late: float = 0.0  # arrived while the ready replicas were above the serving limit

    def step(self, arrivals: float, *, ready: int, seconds: float) -> None:
        """Let `arrivals` come within `seconds` upon `ready` replicas: 10 replicas of 6/s serve 60 in a second."""
        able = ready * self.capacity * seconds
        there = self.waiting + arrivals
        served = min(there, able)
        kept = min(there - served, ready * self.capacity * QUEUE_S)
        self.arrived += arrivals
        self.served += served
        self.rejected += there - served - kept
        self.late += arrivals if arrivals > able * SERVING_LIMIT else 0.0
        self.waiting = kept


@dataclass(frozen=True, slots=True)
class Pod:
    """What one pod exports. `waiting` is its share of its workload's."""

    name: str
    app: str
    waiting: float
    engine: Engine
    created_at_s: float
    ready_at_s: float | None  # since when it is ready


@dataclass(frozen=True, slots=True)
class Deployed:
    """What kube-state-metrics would tell of one Deployment; no rollout ever happens here."""

    name: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Moment:
    """All that is exported, as of one wall time. The mappings are requests by workload."""

    at_s: float
    arrived: Mapping[str, float]
    rejected: Mapping[str, float]
    waiting: Mapping[str, float]
    late: Mapping[str, float]
    pods: Mapping[str, Pod] = field(default_factory=dict)  # by name
    deployed: tuple[Deployed, ...] = ()
    began_s: float = 0.0  # since when there are nodes


@dataclass(slots=True)
class Usage:
    """Replicas over time: what was paid for, and the most that the load needed at once."""

    replica_s: float = 0.0
    needed: int = 0


class ModelServers:
    """Every workload's queue and pods, moved on by `step`."""

    def __init__(
        self, cluster: SimulatedCluster, clock: Clock, workloads: Sequence[Workload], loads: Mapping[str, Load]
    ) -> None:
        """Begin with empty queues; `loads` has every workload's load by its name."""
        self.cluster, self.clock, self.workloads, self.loads = cluster, clock, tuple(workloads), loads
        self.queues = {each.name: FluidQueue(each.capacity) for each in workloads}
        self.usage = {each.name: Usage() for each in workloads}
        self.last: Moment | None = None
        self._engines: dict[str, Engine] = {}  # by pod
        self._at_s = clock.now_s()
        self._began_s = self._at_s - HOUR_S  # as the pods
        self._past: deque[tuple[float, dict[str, tuple[float, float]]]] = deque(maxlen=PAST)

    def step(self) -> Moment:
        """Move on to the present, and what is exported there."""
        now_s = self.clock.now_s()
        pods: dict[str, Pod] = {}
        for workload in self.workloads:
            pods |= self._moved(workload, now_s)
        self._engines = {name: self._engines[name] for name in pods}
        self._at_s = now_s
        moment = Moment(
            now_s,
            arrived={name: load.arrived(now_s) for name, load in self.loads.items()},
            rejected={name: queue.rejected for name, queue in self.queues.items()},
            waiting={name: queue.waiting for name, queue in self.queues.items()},
            late={name: queue.late for name, queue in self.queues.items()},
            pods=pods,
            deployed=tuple(
                Deployed(ref.name, target.status_replicas) for ref, target in self.cluster.view().targets.items()
            ),
            began_s=self._began_s,
        )
        self._past.append((now_s, {name: (queue.arrived, queue.late) for name, queue in self.queues.items()}))
        self.last = moment
        return moment

    @property
    def late_ratio(self) -> float:
        """Share of all requests so far that were late."""
        arrived = sum(queue.arrived for queue in self.queues.values())
        return sum(queue.late for queue in self.queues.values()) / arrived if arrived else 0.0

    def late_ratio_of(self, name: str) -> float:
        """Share of a workload's requests so far that were late."""
        queue = self.queues[name]
        return queue.late / queue.arrived if queue.arrived else 0.0

    def late_ratio_lately(self, name: str, over_s: float) -> float:
        """Share of a workload's requests that were late in the last `over_s`."""
        arrived, late = self._before(name, over_s)
        queue = self.queues[name]
        return (queue.late - late) / (queue.arrived - arrived) if queue.arrived > arrived else 0.0

    def _before(self, name: str, over_s: float) -> tuple[float, float]:
        """What had arrived and was late `over_s` ago, or as early as is known."""
        known = [each for at_s, each in self._past if at_s <= self._at_s - over_s] or [self._past[0][1]]
        return known[-1][name]

    def _moved(self, workload: Workload, now_s: float) -> dict[str, Pod]:
        """Move one workload on, and its pods."""
        name, queue, load = workload.name, self.queues[workload.name], self.loads[workload.name]
        seconds, ready = now_s - self._at_s, self.cluster.ready(workload.ref)
        arrivals, served = load.arrived(now_s) - load.arrived(self._at_s), queue.served
        if seconds > 0:
            queue.step(arrivals, ready=ready, seconds=seconds)
        views = [pod for pod in self.cluster.view().pods.get(workload.ref, ()) if pod.phase == "Running"]
        self._account(workload, len(views), arrivals, seconds)
        share = 1 / max(1, ready)
        for pod in views:
            engine = self._engines.get(pod.name) or Engine(free_gpu(self._engines))
            self._engines[pod.name] = engine
            if pod.ready and seconds > 0:
                wait_s = share * queue.waiting / workload.capacity
                requests = share * (queue.served - served)
                engine.serve(requests, seconds=seconds, capacity=workload.capacity, wait_s=wait_s)
        return {pod.name: self._pod(name, pod, share * queue.waiting) for pod in views}

    def _pod(self, app: str, pod: PodView, waiting: float) -> Pod:
        since_s = pod.transition_at_s if pod.ready else None
        engine = deepcopy(self._engines[pod.name])  # another thread reads it
        return Pod(pod.name, app, waiting if pod.ready else 0.0, engine, pod.created_at_s, since_s)

    def _account(self, workload: Workload, replicas: int, arrivals: float, seconds: float) -> None:
        usage = self.usage[workload.name]
        usage.replica_s += replicas * seconds
        if seconds > 0:
            needed = arrivals / seconds / (workload.capacity * SERVING_LIMIT)
            usage.needed = max(usage.needed, workload.replicas[0], -int(-needed // 1))

"""A simulated cluster behind the cluster and actuator ports: targets, pods that take time to start, and faults."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Conflict, Rejected, Unavailable
from controller.records import ClusterView, ContainerRequest, NodeView, PodView, ScaleOrder, TargetRef, TargetView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from controller.ports import Clock


@dataclass(frozen=True, slots=True)
class StartUp:
    """Time from a pod's placement to Ready: fixed, or lognormal around a median."""

    median_s: float = 60.0
    sigma: float = 0.0  # standard deviation of the logarithm; 0 = fixed

    def draw_s(self, random: np.random.Generator) -> float:
        """One start-up time; a fixed one takes nothing from the stream."""
        return self.median_s * float(np.exp(self.sigma * random.standard_normal())) if self.sigma else self.median_s


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the cluster at present."""

    unavailable: bool = False  # writes fail and the view grows old
    forbidden: frozenset[TargetRef] = frozenset()  # may be read and not written
    room: int | None = None  # pods that fit, terminating ones included; the rest stay pending
    nodes_hidden: bool = False  # nodes may not be read
    killed: str | None = None  # where the kill switch was set


@dataclass(frozen=True, slots=True)
class Workload:
    """A target to simulate: what each of its pods asks for, and who else may have a say."""

    ref: TargetRef
    replicas: int
    pods_per_replica: int = 1
    containers: tuple[ContainerRequest, ...] = ()
    paused: bool = False
    fixed: int | str | None = None
    owner: str | None = None
    nodes: tuple[str, ...] = ()  # where its pods may stand, in turn; anywhere if empty


@dataclass(frozen=True, slots=True)
class Machine:
    """How the simulated cluster behaves."""

    startup: StartUp = StartUp()
    termination_s: float = 30.0  # a deleted pod stays this long
    seed: int = 0


class SimulatedCluster:
    """Targets and pods in memory, moved by a clock. Implements `ports.Cluster` and `ports.Actuator`.

    Pods of added workloads have just become ready. On a fall, pods that are not ready go first, then the youngest.
    """

    def __init__(self, clock: Clock, machine: Machine | None = None) -> None:
        """An empty cluster."""
        self._clock = clock
        self._machine = machine or Machine()
        self._random = np.random.default_rng(self._machine.seed)
        self._numbers = itertools.count(1)
        self._targets: dict[TargetRef, _Target] = {}
        self._followed: frozenset[TargetRef] = frozenset()
        self._with_nodes = False
        self._nodes: dict[str, NodeView] = {}
        self._faults = Faults()
        self._last: ClusterView | None = None

    def add(self, workload: Workload) -> None:
        """Put a workload into the cluster, with its pods ready. Raises ValueError if it is there already."""
        if workload.ref in self._targets:
            raise ValueError(f"{workload.ref.namespace}/{workload.ref.name} is in the cluster already")
        target = _Target(workload, version=next(self._numbers))
        now_s = self._now_s()
        for _ in range(workload.replicas * workload.pods_per_replica):
            startup_s = self._machine.startup.draw_s(self._random)
            pod = _Pod(next(self._numbers), now_s - startup_s, startup_s, placed_at_s=now_s - startup_s)
            pod.node = self._node_for(target, pod) or ""
            target.pods.append(pod)
        self._targets[workload.ref] = target

    def change(self, workload: Workload) -> None:
        """Change a workload as somebody else would: its scale, its pause, its owner. Orders decided before conflict.

        Raises KeyError if it is not there.
        """
        target = self._targets[workload.ref]
        target.workload = workload
        target.version = next(self._numbers)
        self._fit_pods(target)

    def roll(self, ref: TargetRef) -> None:
        """Replace the pods of a workload: as many new ones start, and when all are ready the old ones go.

        Raises KeyError if it is not there.
        """
        target = self._targets[ref]
        target.old |= {pod.number for pod in target.pods if pod.deleted_at_s is None}
        target.version = next(self._numbers)
        self._fit_pods(target)

    def stand(self, node: NodeView) -> None:
        """Put a node into the cluster, or change it."""
        self._nodes[node.name] = node
        self._now_s()

    def lose(self, name: str) -> None:
        """Take a node away with its pods, which are made anew. Raises KeyError if it is not there."""
        del self._nodes[name]
        for target in self._targets.values():
            target.pods = [pod for pod in target.pods if pod.node != name]
            self._fit_pods(target)

    def remove(self, ref: TargetRef) -> None:
        """Delete a workload with its pods. Raises KeyError if it is not there."""
        self._now_s()
        del self._targets[ref]

    def inject(self, faults: Faults) -> None:
        """Let these faults hold from now on, instead of those before."""
        if faults.unavailable and not self._faults.unavailable:
            self._last = self._look()
        self._faults = faults
        self._now_s()

    def wanted(self, ref: TargetRef) -> int:
        """Replicas that its scale asks for, whatever faults hide. Raises KeyError if the workload is not there."""
        return self._targets[ref].workload.replicas

    def ready(self, ref: TargetRef) -> int:
        """Replicas that serve now: whole groups of ready pods. Raises KeyError if the workload is not there."""
        now_s = self._now_s()
        target = self._targets[ref]
        return sum(pod.is_ready(now_s) for pod in target.pods) // target.workload.pods_per_replica

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        """Show exactly these targets from now on, and the nodes where that is asked for. Raises Unavailable."""
        self._reach()
        self._followed, self._with_nodes = frozenset(targets), nodes

    def view(self) -> ClusterView:
        """The cluster now; as it was last seen while it is unavailable."""
        return self._last if self._faults.unavailable and self._last else self._look()

    async def scale(self, order: ScaleOrder) -> None:
        """Carry out an order. Raises Unavailable, Conflict or Rejected, as the faults and the version have it."""
        self._reach()
        target, name = self._targets.get(order.ref), f"{order.ref.namespace}/{order.ref.name}"
        if target is None:
            raise Rejected(f"{order.ref.kind} {name} not found")
        if order.ref in self._faults.forbidden:
            raise Rejected(f"{order.ref.kind} {name} is forbidden: cannot patch resource scale")
        if order.resource_version != str(target.version):
            raise Conflict(
                f"{name} has resourceVersion {target.version}, the order was decided on {order.resource_version}"
            )
        self.change(replace(target.workload, replicas=order.after))

    def _reach(self) -> None:
        if self._faults.unavailable:
            raise Unavailable("the simulated cluster does not answer")

    def _fit_pods(self, target: _Target) -> None:
        now_s = self._now_s()
        kept = [pod for pod in target.pods if pod.deleted_at_s is None and pod.number not in target.old]
        surplus = len(kept) - target.workload.replicas * target.workload.pods_per_replica
        for _ in range(-surplus):
            startup_s = self._machine.startup.draw_s(self._random)
            target.pods.append(_Pod(next(self._numbers), now_s, startup_s))
        kept.sort(key=lambda pod: (pod.is_ready(now_s), pod.placed_at_s is not None, -pod.number))
        for pod in kept[: max(0, surplus)]:
            pod.deleted_at_s = now_s
        self._now_s()

    def _now_s(self) -> float:
        """The present, with pods gone and placed up to it."""
        now_s = self._clock.now_s()
        for target in self._targets.values():
            target.end_rollout(now_s)
        gone = sorted(end_s for pod in self._pods() if (end_s := self._end_s(pod)) is not None and end_s <= now_s)
        for target in self._targets.values():
            target.pods = [pod for pod in target.pods if (end_s := self._end_s(pod)) is None or end_s > now_s]
        self._place(now_s, freed_at_s=gone)
        return now_s

    def _end_s(self, pod: _Pod) -> float | None:
        """When a deleted pod is gone; one that was never placed goes at once."""
        if pod.deleted_at_s is None:
            return None
        return pod.deleted_at_s + (self._machine.termination_s if pod.placed_at_s is not None else 0.0)

    def _place(self, now_s: float, freed_at_s: list[float]) -> None:
        """Place waiting pods in the order of their creation, where one left as soon as it left."""
        nodes = {
            pod.number: node
            for target in self._targets.values()
            for pod in target.pods
            if pod.placed_at_s is None and (node := self._node_for(target, pod)) is not None
        }
        waiting = sorted((pod for pod in self._pods() if pod.number in nodes), key=lambda pod: pod.number)
        room = len(waiting)
        if self._faults.room is not None:
            room = self._faults.room - sum(pod.placed_at_s is not None for pod in self._pods())
        freed = freed_at_s[-room:] if 0 < room < len(freed_at_s) else freed_at_s
        for position, pod in enumerate(waiting[: max(0, room)]):
            at_s = freed[position] if position < len(freed) else now_s
            pod.placed_at_s, pod.node = max(pod.created_at_s, at_s), nodes[pod.number]

    def _node_for(self, target: _Target, pod: _Pod) -> str | None:
        """Where a pod is to stand: empty for anywhere, None while no node takes it."""
        allowed = [name for name in target.workload.nodes if name in self._nodes and not self._nodes[name].notice]
        if target.workload.nodes and not allowed:
            return None
        return allowed[pod.number % len(allowed)] if allowed else ""

    def _pods(self) -> Iterator[_Pod]:
        return itertools.chain.from_iterable(target.pods for target in self._targets.values())

    def _look(self) -> ClusterView:
        now_s = self._now_s()
        found = {ref: self._targets[ref] for ref in sorted(self._followed) if ref in self._targets}
        absent = {ref: TargetView(ref, 0, 0, "", problem="not found") for ref in self._followed - found.keys()}
        return ClusterView(
            targets=absent | {ref: target.view() for ref, target in found.items()},
            pods={ref: tuple(pod.view(target.workload, now_s) for pod in target.pods) for ref, target in found.items()},
            seen_at_s=now_s,
            killed=self._faults.killed,
            nodes=dict(self._nodes) if self._with_nodes and not self._faults.nodes_hidden else None,
        )


@dataclass(slots=True)
class _Pod:
    number: int
    created_at_s: float
    startup_s: float
    placed_at_s: float | None = None
    node: str = ""
    deleted_at_s: float | None = None

    def is_ready(self, now_s: float) -> bool:
        return self.deleted_at_s is None and self.placed_at_s is not None and now_s >= self.placed_at_s + self.startup_s

    def view(self, workload: Workload, now_s: float) -> PodView:
        ready, changed_at_s = self.is_ready(now_s), self.placed_at_s
        if ready and self.placed_at_s is not None:
            changed_at_s = self.placed_at_s + self.startup_s
        return PodView(
            name=f"{workload.ref.name}-{self.number}",
            phase="Pending" if self.placed_at_s is None else "Running",
            deleted=self.deleted_at_s is not None,
            ready=ready,
            created_at_s=self.created_at_s,
            started_at_s=self.placed_at_s,
            transition_at_s=changed_at_s if self.deleted_at_s is None else self.deleted_at_s,
            containers=workload.containers,
            scheduled_at_s=self.placed_at_s,
            unschedulable=self.placed_at_s is None,
            node=self.node,
        )


@dataclass(slots=True)
class _Target:
    workload: Workload
    version: int
    pods: list[_Pod] = field(default_factory=list)
    old: set[int] = field(default_factory=set)  # numbers of pods that a rollout replaces

    def end_rollout(self, now_s: float) -> None:
        """Delete the old pods once as many new ones as are wanted are ready."""
        new = sum(pod.is_ready(now_s) for pod in self.pods if pod.number not in self.old)
        if self.old and new >= self.workload.replicas * self.workload.pods_per_replica:
            for pod in self.pods:
                if pod.number in self.old and pod.deleted_at_s is None:
                    pod.deleted_at_s = now_s
            self.old = set()

    def view(self) -> TargetView:
        kept = sum(pod.deleted_at_s is None for pod in self.pods)
        return TargetView(
            ref=self.workload.ref,
            spec_replicas=self.workload.replicas,
            status_replicas=kept // self.workload.pods_per_replica,
            resource_version=str(self.version),
            paused=self.workload.paused,
            fixed=self.workload.fixed,
            owner=self.workload.owner,
        )

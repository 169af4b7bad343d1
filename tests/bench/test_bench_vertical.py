"""What a round of the vertical loop costs: 5,000 autoscalers of two replicas with two containers each."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.loop.supervisor import Supervisor
from controller.records import Answered, PolicySet, TargetRef
from controller.vertical.loop import VerticalLoop, VerticalParts
from controller.vertical.records import Autoscaler, ContainerSeen, PodSeen, Watched

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from controller.records import Answer, SignalQuery
    from controller.vertical.records import Checkpoint, Document

pytestmark = pytest.mark.bench

AUTOSCALERS, NAMESPACES, REPLICAS, ROUNDS = 5_000, 100, 2, 4
CONTAINERS = tuple(ContainerSeen(name, 1000, 2**40) for name in ("server", "sidecar"))
SAMPLES = AUTOSCALERS * REPLICAS * len(CONTAINERS) * 2  # of CPU and memory


@dataclass
class ManyAutoscalers:
    """Autoscalers in memory, which take every write."""

    found: dict[str, Autoscaler] = field(default_factory=dict)
    kept: int = 0

    def __post_init__(self) -> None:
        for number in range(AUTOSCALERS):
            namespace, name = f"ns{number % NAMESPACES}", f"web{number}"
            target = TargetRef("apps/v1", "Deployment", namespace, name)
            self.found[name] = Autoscaler(namespace, name, "uid", "1", target)

    async def watched(self, policies: Mapping[str, TargetRef], namespaces: Collection[str]) -> Sequence[Watched]:
        assert not policies
        assert not namespaces
        return [
            Watched(f"{each.namespace}/{name}", each.namespace, each, None, each.target, pods_of(name))
            for name, each in self.found.items()
        ]

    async def write(self, autoscaler: Autoscaler, status: Document) -> None:
        self.found[autoscaler.name] = replace(autoscaler, status=status)

    async def read(self, autoscaler: Autoscaler) -> Autoscaler | None:
        return autoscaler

    async def checkpoints(self, namespace: str) -> Sequence[Checkpoint]:
        assert namespace
        return []

    async def keep(self, checkpoint: Checkpoint) -> None:
        assert checkpoint.status
        self.kept += 1

    def problems(self) -> tuple[str, ...]:
        return ()


@dataclass
class RandomUsage:
    """Use of every container of every replica, anew at each question."""

    cluster: ManyAutoscalers
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        assert min(at_s, deadline_s) > 0
        return [self._answer(query) for query in queries]

    async def past(self, query: SignalQuery, **_: float) -> Sequence[Any]:
        assert query.text
        return []

    def _answer(self, query: SignalQuery) -> Answered:
        named = set(query.text.partition('namespace=~"')[2].partition('"')[0].split("|"))
        keys = [
            (each.namespace, container.name, pod.name)
            for each in self.cluster.found.values()
            if each.namespace in named
            for pod in pods_of(each.name)
            for container in CONTAINERS
        ]
        most = 1.0 if "cpu" in query.text else 1e9
        return Answered(query, keys, (self.random.random(len(keys)) * most).tolist(), None, None)


def pods_of(name: str) -> tuple[PodSeen, ...]:
    return tuple(PodSeen(f"{name}-{pod}", CONTAINERS) for pod in range(REPLICAS))


async def test_a_round_fits_well_into_its_minute() -> None:
    cluster = ManyAutoscalers()
    parts = VerticalParts(SystemClock(), RandomUsage(cluster), cluster, Supervisor())
    loop = VerticalLoop(parts, lambda: PolicySet(()), lambda: None, lambda _report: None)
    took_s = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        report = await loop.round()
        took_s.append(time.process_time() - began_s)
        assert report.samples == SAMPLES
    print(  # noqa: T201 - a benchmark shows its figures
        f"\n{AUTOSCALERS} autoscalers, {AUTOSCALERS * 2} containers, {SAMPLES} samples: a round takes"
        f" {np.median(took_s):.1f} s of CPU ({platform.machine()}, {os.cpu_count()} cores)"
    )
    assert np.median(took_s) < 10

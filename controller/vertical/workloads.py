"""The workloads to size: what their containers request, on which nodes they stand, and what scales them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from policies.resources.one_plan import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.vertical.queries import Named

UNBOUND = 2**31 - 1


class Asks(NamedTuple):
    """What a container asks for, in thousandths of a core and of a byte; None where it says nothing."""

    cpu_milli: int | None = None
    memory_milli: int | None = None


NOTHING = Asks()


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container of a pod that runs."""

    name: str
    requests: Asks
    limits: Asks = NOTHING
    oom_at_s: float | None = None  # when it was last killed for want of memory


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod that runs, and whose it is. `node` is empty where nobody told."""

    owner: Named
    name: str
    node: str
    containers: tuple[RunningContainer, ...]
    gpu_milli: int = 0


class Scaled(NamedTuple):
    """What scales a workload, and up to how many replicas."""

    signal: Signal = Signal.FREE
    most: int = UNBOUND
    words: str = ""


UNSCALED = Scaled()


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload with its pods; its containers are those of the newest kind of pod, by the most that asks the same."""

    named: Named
    pods: tuple[RunningPod, ...]
    containers: tuple[RunningContainer, ...]
    scaled: Scaled = UNSCALED

    @property
    def replicas(self) -> int:
        """How many pods run."""
        return len(self.pods)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found, where it was read, and what could not be read."""

    source: str
    workloads: Sequence[Workload]
    warnings: tuple[str, ...] = field(default=())


def workloads_of(pods: Iterable[RunningPod], scaled: Mapping[Named, Scaled]) -> list[Workload]:
    """Pods by their workload. While a rollout goes on, what most of them ask for counts."""
    found: defaultdict[Named, list[RunningPod]] = defaultdict(list)
    for pod in pods:
        found[pod.owner].append(pod)
    return [
        Workload(named, tuple(mine), _common(mine), scaled.get(named, Scaled()))
        for named, mine in sorted(found.items())
    ]


def _common(pods: Sequence[RunningPod]) -> tuple[RunningContainer, ...]:
    """The containers that most pods have, each with the last kill of any of them."""
    kinds: defaultdict[tuple[tuple[str, Asks, Asks], ...], int] = defaultdict(int)
    killed: dict[str, float] = {}
    for pod in pods:
        kinds[tuple((each.name, each.requests, each.limits) for each in pod.containers)] += 1
        for each in pod.containers:
            if each.oom_at_s is not None:
                killed[each.name] = max(killed.get(each.name, 0.0), each.oom_at_s)
    most = max(kinds, key=lambda kind: (kinds[kind], str(kind)))
    return tuple(RunningContainer(name, requests, limits, killed.get(name)) for name, requests, limits in most)

"""What replicas ask for and what nodes have for them, in thousandths as Kubernetes counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.pricing.facts import GIB

if TYPE_CHECKING:
    from policies.pricing.facts import Machine
    from policies.pricing.table import Offer

MILLI: Final = 1000
MAX_PODS: Final = 110  # Kubernetes' own limit of a node, unless the provider sets another
GPU_NAME: Final = re.compile(r"(?:.*/gpu(?:\.shared)?|nvidia\.com/mig-.*)")  # extended resources that count as GPUs
GPU_WEIGHT: Final = 0.75  # of a GPU node's price; 0.64 of g4dn.xlarge, 0.81 of g5.xlarge, 0.74 of p5.48xlarge
GIB_OF_A_CORE: Final = 9.0  # memory that costs as much as a core: from m, c and r families of the built-in prices

# Steps of what a node keeps for itself: up to so much, such a share. As GKE publishes it, used for all providers.
_CPU_STEPS: Final = ((1_000, 0.06), (2_000, 0.01), (4_000, 0.005), (None, 0.0025))
_MEMORY_STEPS: Final = ((4, 0.25), (8, 0.20), (16, 0.10), (128, 0.06), (None, 0.02))
_EVICTION_BYTES: Final = 100 * 2**20

Weights = tuple[float, float, float]  # shares of a node's price that its CPU, memory and GPUs carry; together 1


@dataclass(frozen=True, slots=True)
class Request:
    """What one replica of a workload asks for. GPUs are whole, or a part of one where nodes share theirs."""

    workload: str
    cpu_milli: int
    memory_milli: int  # thousandths of a byte
    gpu_milli: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for amounts below 0, and for one GPU and a half."""
        if min(self.cpu_milli, self.memory_milli, self.gpu_milli) < 0:
            raise ValueError(f"{self.workload}: requests are 0 and more")
        if self.gpu_milli > MILLI and self.gpu_milli % MILLI:
            raise ValueError(f"{self.workload}: asks for whole GPUs, or a part of one, not {self.gpu_milli / MILLI:g}")


@dataclass(frozen=True, slots=True)
class Daemons:
    """What runs on every node beside the workloads."""

    cpu_milli: int = 0
    memory_milli: int = 0
    pods: int = 0


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A kind of node: its price, and the room that it has for workloads."""

    offer: Offer
    micros: int  # millionths of the currency an hour
    cpu_milli: int
    memory_milli: int
    gpus: int = 0
    pods: int = MAX_PODS
    shares_gpus: bool = False
    weights: Weights | None = None  # None: as `default_weights`

    def gpu_asked(self, request: Request) -> int:
        """What a request takes of this node's GPUs, in thousandths: whole ones unless they are shared."""
        return request.gpu_milli if self.shares_gpus else -(-request.gpu_milli // MILLI) * MILLI

    def node_ratio(self, request: Request) -> float:
        """The share of the node's price that one replica takes, by what it asks for; those that fit take 1 at most."""
        cpu, memory, gpu = self.weights or self.default_weights()
        parts = (
            (cpu, request.cpu_milli, self.cpu_milli),
            (memory, request.memory_milli, self.memory_milli),
            (gpu, self.gpu_asked(request), self.gpus * MILLI),
        )
        return sum(weight * asked / room for weight, asked, room in parts if room)

    def default_weights(self) -> Weights:
        """On GPU nodes the GPUs carry three quarters of the price; the rest is CPU and memory, a core as nine GiB."""
        cores, gib = self.cpu_milli / MILLI, self.memory_milli / MILLI / GIB
        gpu = GPU_WEIGHT if self.gpus else 0.0
        cpu = (1 - gpu) * GIB_OF_A_CORE * cores / (GIB_OF_A_CORE * cores + gib) if cores or gib else 0.0
        return cpu, 1 - gpu - cpu, gpu


def shape_of(
    offer: Offer, micros: int, machine: Machine, daemons: Daemons | None = None, *, shares_gpus: bool = False
) -> NodeShape:
    """A machine as a node, less what it keeps for itself and what daemons take. Raises ValueError: nothing is left."""
    daemons = daemons or Daemons()
    cpu_milli, memory_milli = allocatable(machine)
    cpu_milli, memory_milli = cpu_milli - daemons.cpu_milli, memory_milli - daemons.memory_milli
    pods = MAX_PODS - daemons.pods
    if min(cpu_milli, memory_milli, pods) <= 0:
        raise ValueError(f"{machine.instance_type}: daemons leave no room for workloads")
    return NodeShape(offer, micros, cpu_milli, memory_milli, machine.gpus, pods, shares_gpus)


def allocatable(machine: Machine) -> tuple[int, int]:
    """CPU and memory that pods can have, in thousandths. 4 cores and 16 GiB: 3,920 and 13.3 GiB."""
    cpu_milli = machine.cpu_cores * MILLI
    bytes_kept = _kept(machine.memory_bytes / GIB, _MEMORY_STEPS) * GIB + _EVICTION_BYTES
    return int(cpu_milli - _kept(cpu_milli, _CPU_STEPS)), int(machine.memory_bytes - bytes_kept) * MILLI


def _kept(amount: float, steps: tuple[tuple[int | None, float], ...]) -> float:
    kept, below = 0.0, 0.0
    for until, ratio in steps:
        top = amount if until is None else min(amount, until)
        kept += max(0.0, top - below) * ratio
        below = top
    return kept

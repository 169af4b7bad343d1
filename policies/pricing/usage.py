"""What is to be billed: nodes of each pool by step, how long a node is paid for, who shares it, and what was served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.pricing.table import Offer


@dataclass(frozen=True, slots=True)
class NodeLife:
    """For how long a node is paid beside the steps at which it is needed, in seconds."""

    startup_s: int = 0  # before: from its start until its replicas are ready (boot, image pull, load)
    release_s: int = 0  # after: consolidation delay and drain
    minimum_s: int = 0  # the shortest time that is billed, such as 60 s

    def __post_init__(self) -> None:
        """Raises ValueError for times below 0."""
        if min(self.startup_s, self.release_s, self.minimum_s) < 0:
            raise ValueError(f"times of a node are 0 s and more, not {self}")


@dataclass(frozen=True, slots=True)
class Share:
    """What the replicas of a workload take of the nodes of a pool."""

    workload: str
    replicas: IntArray  # [lane, step], any integer type
    node_ratio: float = 1.0  # of a node, by one replica


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The nodes of one offer. Where replicas are counted from their launch, `life.startup_s` is 0: it is in them."""

    offer: Offer
    nodes: IntArray  # [lane, step] needed at each step, any integer type
    life: NodeLife = field(default_factory=NodeLife)
    kept: int = 0  # nodes that stay on, needed or not
    shares: tuple[Share, ...] = ()  # what no workload takes is idle


@dataclass(frozen=True, slots=True)
class Served:
    """What a workload served in the whole time, `[lane]`, and the price of a late request where there is one."""

    workload: str
    requests: FloatArray
    late: FloatArray
    tokens: FloatArray | None = None
    late_micros: float = 0.0  # may be a part of a millionth


@dataclass(frozen=True, slots=True)
class Usage:
    """All that is on the bill: pools with arrays `[lane, step]` of one shape, steps of `step_s` seconds.

    The first step begins an hour. Hours are those in which commitments are netted, so that a step divides an hour or
    is made of whole hours.
    """

    step_s: int
    pools: tuple[PoolUse, ...]
    served: tuple[Served, ...] = ()


def replica_pool(workload: str, offer: Offer, replicas: IntArray, life: NodeLife | None = None) -> PoolUse:
    """A workload whose replicas are priced each on its own: one node a replica; `replicas` is `[lane, step]`."""
    return PoolUse(offer, replicas, life or NodeLife(), shares=(Share(workload, replicas),))

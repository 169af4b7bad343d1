"""What ResourceQuotas leave of GPUs, as an observation has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.arrays import IntArray


@dataclass(frozen=True, slots=True)
class GpuRoom:
    """The caps of namespaces, and a flat table, sorted by lane, of what one replica of each lane takes under which.

    A lane of which nobody knows what it takes has no row, and no quota binds it.
    """

    names: tuple[str, ...]  # "namespace/resource", as in shop/nvidia.com/gpu [cap]
    left_milli: IntArray  # thousandths that pods may still take, by the strictest quota of the namespace [cap]
    lane: IntArray  # [row]
    cap: IntArray  # [row]
    need_milli: IntArray  # of one replica, above 0 [row]

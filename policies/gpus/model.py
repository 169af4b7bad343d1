"""What GPUs there are, who asked for them, and what is read of them: flat tables.

A *device* is a GPU, or a MIG instance, which is an allocatable thing of its own profile and not a GPU. Rows of `Supply`
are a node's devices of one resource (nvidia.com/gpu, nvidia.com/mig-1g.10gb, amd.com/gpu).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray

_MIG = re.compile(r".*/mig-(\d+)g\..*")
_SLICES = 7.0  # of a whole GPU


@dataclass(frozen=True, slots=True)
class Supply:
    """Devices of nodes by resource."""

    node: IntArray  # [row]
    resource: tuple[str, ...]  # [row]
    devices: IntArray  # that pods can have [row]
    asked: IntArray  # that pods on the node ask for [row]
    micros: FloatArray  # of one device, millionths of the currency an hour; NaN where not known [row]


@dataclass(frozen=True, slots=True)
class Holders:
    """Pods that have devices, one row for each pod and resource."""

    supply: IntArray  # row of Supply
    devices: IntArray
    age_s: FloatArray


@dataclass(frozen=True, slots=True)
class Devices:
    """What was read of each device over a window, through all of which it was the named pod's."""

    node: IntArray  # [device]
    holder: IntArray  # row of Holders; UNKNOWN where no pod is told [device]
    peak: FloatArray  # largest activity, 0 to 1 [device]
    mean: FloatArray  # [device]
    memory_ratio: FloatArray  # largest share of memory used; NaN where not told [device]


def gpu_share(resource: str) -> float:
    """How much of a GPU one device of a resource is: 1/7 of mig-1g.10gb, 3/7 of mig-3g.40gb, 1 of all others."""
    found = _MIG.fullmatch(resource)
    return int(found[1]) / _SLICES if found else 1.0


def device_micros(
    node_micros: FloatArray, gpu_weight: FloatArray, supply: tuple[IntArray, Sequence[str], IntArray]
) -> FloatArray:
    """The price of one device of each row: the part of its node's price that GPUs carry, shared by how much it is.

    `node_micros` and `gpu_weight` are `[node]`; `supply` is node, resource and devices, `[row]`. A node of two GPUs at
    4 $ an hour, three quarters of it for GPUs: 1.5 $ for each. Time-sliced devices are equal parts.
    """
    node, resource, devices = supply
    share = np.array([gpu_share(each) for each in resource], np.float64)
    together = np.bincount(node, weights=share * devices, minlength=node_micros.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = node_micros[node] * gpu_weight[node] * share / together[node]
    return np.where(devices > 0, found, 0.0)

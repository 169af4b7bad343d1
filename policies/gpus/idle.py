"""GPUs that pods have and do not use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, integers

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.gpus.model import Devices, Holders, Supply

HELD_RATIO = 0.05  # of a device's memory: less is a driver's own and a bare context


@dataclass(frozen=True, slots=True)
class IdleRule:
    """A device is idle whose activity stayed below `below` all through the window, since `window_s` or longer."""

    below: float = 0.02
    window_s: float = 3600.0

    def __post_init__(self) -> None:
        """Raises ValueError for a share outside 0 to 1, or a window of no length."""
        if not 0 < self.below < 1:
            raise ValueError(f"idle below: must lie between 0 and 1, not at {self.below:g}")
        if self.window_s <= 0:
            raise ValueError(f"window: must be longer than 0 s, not {self.window_s:g}")


@dataclass(frozen=True, slots=True)
class Idle:
    """Of each holder's devices how many are idle, and how many of those have memory in use; `[holder]`.

    `unassigned` counts idle devices on nodes where readings do not tell whose they are, above those that nobody asked
    for, `[supply row]`.
    """

    known: BoolArray  # whether anything is known of the holder
    idle: IntArray
    holding_memory: IntArray
    micros: FloatArray  # of the idle ones an hour; NaN where no price is known
    unassigned: IntArray


def idle_devices(supply: Supply, holders: Holders, devices: Devices, rule: IdleRule) -> Idle:
    """Which allocated devices are idle.

    Where readings name pods, a pod's own devices count, all the window long. Where those of a node name none, all its
    pods are idle when all its devices are; else as many are idle as exceed what nobody asked for, of whom is not known.
    There pods younger than the window are not judged, nor is the node's rest while one of its pods is so young.
    """
    count = holders.supply.size
    quiet = devices.peak < rule.below
    held = quiet & (devices.memory_ratio >= HELD_RATIO)
    named = devices.holder >= 0
    old = holders.age_s >= rule.window_s
    seen, idle, holding = (
        np.bincount(devices.holder[named & rows], minlength=count)[:count] for rows in (named, quiet, held)
    )
    known = seen > 0
    all_quiet, all_held, unnamed = _unnamed(supply, devices, quiet, held)
    whole = ~named_nodes(supply, devices)[holders.supply] & unnamed[holders.supply] & old
    by_node = whole & all_quiet[holders.supply]
    idle = np.where(by_node, holders.devices, np.where(known, np.minimum(idle, holders.devices), 0))
    holding = np.where(
        by_node & all_held[holders.supply], holders.devices, np.where(known, np.minimum(holding, idle), 0)
    )
    young = any_by(holders.supply, ~old, supply.node.size)
    return Idle(
        known=known | by_node,
        idle=idle,
        holding_memory=holding,
        micros=np.where(idle > 0, idle * supply.micros[holders.supply], 0.0),
        unassigned=_unassigned(supply, devices, quiet, unnamed & ~all_quiet & ~young),
    )


def named_nodes(supply: Supply, devices: Devices) -> BoolArray:
    """Whether the readings of a row's node name pods, `[supply row]`."""
    named: BoolArray = np.isin(supply.node, devices.node[devices.holder >= 0])
    return named


def _unnamed(
    supply: Supply, devices: Devices, quiet: BoolArray, held: BoolArray
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Of each row's node: whether all devices are quiet, all of them with memory held, and whether all are read."""
    nodes = int(max(supply.node.max(initial=-1), devices.node.max(initial=-1))) + 1
    read = np.bincount(devices.node, minlength=nodes)
    has = np.bincount(supply.node, weights=supply.devices, minlength=nodes)
    busy, free = (any_by(devices.node, rows, nodes) for rows in (~quiet, ~held))
    complete = (read > 0) & (read >= has)
    return (~busy & complete)[supply.node], (~free & complete)[supply.node], complete[supply.node]


def _unassigned(supply: Supply, devices: Devices, quiet: BoolArray, rows: BoolArray) -> IntArray:
    """Idle devices above those that nobody asked for, on nodes of one resource whose readings name no pod."""
    if not supply.node.size:
        return integers(0)
    alone = np.bincount(supply.node)[supply.node] == 1
    asks = alone & rows & ~named_nodes(supply, devices) & (supply.asked > 0)
    nodes = int(max(supply.node.max(), devices.node.max(initial=0))) + 1
    idle = np.bincount(devices.node[quiet], minlength=nodes)[supply.node]
    over = np.clip(idle - (supply.devices - supply.asked), 0, supply.asked)
    return np.where(asks, over, 0).astype(np.int64)

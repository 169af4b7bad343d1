"""Behaviors of autoscaling/v2 as columns: what users write, the defaults, and changes to all lanes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, floats
from policies.behavior import ScaleDown, ScaleUp
from policies.behaviors import Behavior, Direction, Rates
from policies.codes import Select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray
    from policies.behavior import Behavior as Written

_SELECTS = {"Max": Select.MAX, "Min": Select.MIN, "Disabled": Select.DISABLED}


def default_behavior(lanes: int) -> Behavior:
    """What autoscaling/v2 does in lanes where nothing is written."""
    unwritten = booleans(lanes)
    up, down = direction_of([ScaleUp()] * lanes, unwritten), direction_of([ScaleDown()] * lanes, unwritten)
    return Behavior(up, down, given=~unwritten)


def behavior_of(written: Sequence[Written]) -> Behavior:
    """What each lane's user wrote; a direction that is not written has its default."""
    ups, downs = [each.scale_up for each in written], [each.scale_down for each in written]
    return Behavior(
        direction_of([up or ScaleUp() for up in ups], np.array([up is not None for up in ups], np.bool_)),
        direction_of([down or ScaleDown() for down in downs], np.array([down is not None for down in downs], np.bool_)),
        given=np.ones(len(written), np.bool_),
    )


def direction_of(rules: Sequence[ScaleUp | ScaleDown], written: BoolArray) -> Direction:
    """One direction of each lane's behavior; `written` tells whose the user wrote, `[lane]`."""
    rates = [(lane, policy) for lane, rule in enumerate(rules) for policy in rule.policies]
    return Direction(
        window_s=np.array([rule.stabilization_window_seconds for rule in rules], np.float64),
        tolerance_ratio=np.array([float(rule.tolerance) for rule in rules], np.float64),
        select=np.array([_SELECTS[rule.select_policy] for rule in rules], np.int8),
        rates=Rates(
            lane=np.array([lane for lane, _ in rates], np.int64),
            percent=np.array([policy.type == "Percent" for _, policy in rates], np.bool_),
            value=np.array([policy.value for _, policy in rates], np.int64),
            period_s=np.array([policy.period_seconds for _, policy in rates], np.float64),
        ),
        written=written,
    )


def steadied(behavior: Behavior, *, tolerance_ratio: float, window_s: float) -> Behavior:
    """A behavior with this tolerance and this window of falls in every lane.

    On the edge of the tolerance it decides as floats have |ratio - 1| <= tolerance, which is how Kubernetes up to 1.32
    and the reference plans that figures are compared with put it: at 0.1, a ratio of 1.1 is outside and 0.9 inside.
    """
    lanes = behavior.given.size
    above, below = 1.0 + tolerance_ratio, 1.0 - tolerance_ratio
    above = above if above - 1.0 <= tolerance_ratio else float(np.nextafter(above, 0.0))
    below = below if 1.0 - below <= tolerance_ratio else float(np.nextafter(below, 1.0))
    up = replace(behavior.up, tolerance_ratio=floats(lanes, above - 1.0))
    down = replace(behavior.down, tolerance_ratio=floats(lanes, 1.0 - below), window_s=floats(lanes, window_s))
    return replace(behavior, up=up, down=down)

"""Scaling behavior of autoscaling/v2 as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray


@dataclass(frozen=True, slots=True)
class Rates:
    """Rate policies of one direction, a flat table sorted by lane."""

    lane: IntArray
    percent: BoolArray  # else pods
    value: IntArray
    period_s: FloatArray


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a behavior, `[lane]`."""

    window_s: FloatArray
    tolerance_ratio: FloatArray
    select: SmallArray
    rates: Rates
    written: BoolArray  # the user wrote this direction, so it binds every candidate


@dataclass(frozen=True, slots=True)
class Behavior:
    """Scaling behavior of autoscaling/v2. Lanes without `given` follow the rule that preceded it."""

    up: Direction
    down: Direction
    given: BoolArray

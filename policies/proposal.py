"""A proposal, and the steps by which rules narrow it: explanation is data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import indices

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule changed: for each lane it touched, the target before and after."""

    rule: str
    lane: IntArray
    before: IntArray
    after: IntArray


@dataclass(frozen=True, slots=True)
class Proposal:
    """Replicas asked for, `[lane]`, and how they came about. Rules speak through it."""

    target: IntArray
    steps: tuple[Step, ...] = ()

    def limited_to(self, target: IntArray, *, rule: str) -> Proposal:
        """The same proposal with `target`, recording a step for the lanes that changed."""
        changed = target != self.target
        if not changed.any():
            return self
        lane = indices(changed)
        step = Step(rule, lane, self.target[lane], target[lane])
        return replace(self, target=target, steps=(*self.steps, step))

    def where(self, lanes: BoolArray, target: IntArray, *, rule: str) -> Proposal:
        """The same proposal with `target` where `lanes`, recording a step for the lanes that changed."""
        return self.limited_to(np.where(lanes, target, self.target), rule=rule)

"""How full GPUs are: verdicts by a rule with a window and hysteresis, on allocation and on activity apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.codes import Code

if TYPE_CHECKING:
    from policies.arrays import FloatArray


class Verdict(Code):
    """What a ratio asks for."""

    UNKNOWN = 0
    KEEP = 1
    ADD = 2
    CONSOLIDATE = 3


@dataclass(frozen=True, slots=True)
class FleetRule:
    """Above `add_above` all through a window: add. Below `consolidate_below` all through one: consolidate.

    A verdict ends when the ratio has been `hysteresis` back inside its bound all through a window.
    """

    add_above: float = 0.90
    consolidate_below: float = 0.60
    hysteresis: float = 0.05
    window_s: float = 3600.0

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that are no shares, that cross, or leave no room for the hysteresis."""
        if not 0 <= self.consolidate_below < self.add_above <= 1:
            raise ValueError(
                f"consolidate below ({self.consolidate_below:g}) must be under add above ({self.add_above:g}),"
                " both from 0 to 1"
            )
        if not 0 <= self.hysteresis <= (self.add_above - self.consolidate_below) / 2:
            raise ValueError(
                f"hysteresis ({self.hysteresis:g}) must lie between 0 and half of what is between the bounds"
            )
        if self.window_s <= 0:
            raise ValueError(f"window: must be longer than 0 s, not {self.window_s:g}")


def verdict(ratio: FloatArray, step_s: float, rule: FleetRule) -> Verdict:
    """The verdict at the end of a series (`[time]`, NaN where nothing is known), stepping through it.

    A window with less than half of its values known changes nothing; without any that is known enough it is UNKNOWN.
    """
    width = max(1, round(rule.window_s / step_s))
    state = Verdict.UNKNOWN
    for end in range(width, ratio.size + 1):
        part = ratio[end - width : end]
        known = part[~np.isnan(part)]
        if known.size * 2 >= width and known.size:
            state = _next(state, float(known.min()), float(known.max()), rule)
    return state


def _next(state: Verdict, low: float, high: float, rule: FleetRule) -> Verdict:
    if low > rule.add_above:
        return Verdict.ADD
    if high < rule.consolidate_below:
        return Verdict.CONSOLIDATE
    stays = (state is Verdict.ADD and high > rule.add_above - rule.hysteresis) or (
        state is Verdict.CONSOLIDATE and low < rule.consolidate_below + rule.hysteresis
    )
    return state if stays else Verdict.KEEP

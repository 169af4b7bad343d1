"""Counts that people fix for a time: by an override through the API, or by the annotation on the target.

A fixed count takes the place of what Foresail would decide, the policy's bounds, budgets and the fleet breaker
included. Holds and the quotas of namespaces still stand, for what they forbid cannot be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, integers, small
from policies.codes import Code

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray, SmallArray
    from policies.proposal import Proposal


MOST_REPLICAS = 100_000  # that can be fixed: far above any real count, so that a slip of the keys is not taken


class FixedBy(Code):
    """Who fixed a count. The annotation wins: it stands on the object itself, for all to see."""

    NOBODY = 0
    ANNOTATION = 1  # foresail.dev/replicas on the target
    OVERRIDE = 2


FIXED_RULES = {FixedBy.ANNOTATION: "annotated_replicas", FixedBy.OVERRIDE: "override"}


@dataclass(frozen=True, slots=True)
class Fixed:
    """The fixed count of each lane, 0 where there is none, and who fixed it, `[lane]`."""

    replicas: IntArray
    by: SmallArray  # FixedBy

    @classmethod
    def none(cls, lanes: int) -> Fixed:
        """Nothing is fixed."""
        return cls(integers(lanes), small(lanes))

    @property
    def there(self) -> BoolArray:
        """The lanes whose count is fixed, `[lane]`."""
        fixed: BoolArray = self.by != FixedBy.NOBODY
        return fixed


def fixed_lanes(fixed: Fixed | None, lanes: int) -> BoolArray:
    """The lanes whose count is fixed, `[lane]`."""
    return booleans(lanes) if fixed is None else fixed.there


def with_fixed(proposal: Proposal, fixed: Fixed | None) -> Proposal:
    """`proposal` with fixed counts in place of what was proposed; the step names who fixed them."""
    if fixed is None:
        return proposal
    for who, rule in FIXED_RULES.items():
        proposal = proposal.limited_to(np.where(fixed.by == who, fixed.replicas, proposal.target), rule=rule)
    return proposal

"""Steps down that turned out wrong are not made again at once: the N/(N-1) check for signals that are not proportional.

For signals that grow in proportion the Kubernetes rule is that check: its ceil(total / target) lowers only to where the
signal would be at its target. A queue says nothing until a replica is missing: it is empty at two replicas and endless
at one, so that a constant load swings between them for ever (as NVIDIA Dynamo's planner did, pull request 9294).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, floats, integers
from policies.censoring import pressed_lanes

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal

BLAMED_S = 600.0  # pressure so soon after a fall is put down to it
FIRST_S, LONGEST_S = 900.0, 7200.0  # a count that was too few is not gone back to for so long, twice as long each time
LESS = 0.9  # of the demand then: with less, it is tried again at once


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the falls of each lane, `[lane]`."""

    fell_s: FloatArray  # when the last fall was carried out; -inf where there was none
    fell_to: IntArray
    too_few: IntArray  # the largest count that was too few; 0 where none was
    until_s: FloatArray  # no fall to that count until then
    wait_s: FloatArray  # how long the last such ban was
    demand: FloatArray  # replicas that demand filled then; 0 where nobody knew

    @classmethod
    def none(cls, lanes: int = 0) -> Tried:
        """No fall was seen."""
        never = floats(lanes, -np.inf)
        return cls(never, integers(lanes), integers(lanes), never.copy(), floats(lanes), floats(lanes))

    def aligned(self, source: IntArray) -> Tried:
        """The lanes of `source`; -1 is a new one."""
        new = Tried.none(source.size)
        if self.fell_s.size == 0:
            return new
        columns = (
            np.where(source >= 0, getattr(self, name)[source], getattr(new, name))
            for name in Tried.__dataclass_fields__
        )
        return Tried(*columns)

    def after(self, fleet: Fleet, seen: Observation, demand: FloatArray) -> Tried:
        """With this observation: falls that were carried out, and what they came to.

        `demand` are the replicas that the load fills, 0 where nobody knows.
        """
        if self.fell_s.size != fleet.lanes:  # as from a state of before there was this rule
            return Tried.none(fleet.lanes).after(fleet, seen, demand)
        now_s, current = seen.now_s, seen.spec_replicas
        fell = any_by(seen.applied.lane, seen.applied.after < seen.applied.before, fleet.lanes)
        fell_s = np.where(fell, now_s, np.minimum(self.fell_s, now_s))
        fell_to = np.where(fell, current, self.fell_to)
        soon = (now_s - fell_s <= BLAMED_S) & (current == fell_to)
        wrong = soon & pressed_lanes(fleet, seen)
        right = (now_s - fell_s > BLAMED_S) & (fell_to <= self.too_few) & (current <= self.too_few)
        wait_s = np.where(wrong, np.clip(2 * self.wait_s, FIRST_S, LONGEST_S), np.where(right, 0.0, self.wait_s))
        return Tried(
            np.where(wrong, -np.inf, fell_s),
            fell_to,
            np.where(wrong, fell_to, np.where(right, 0, self.too_few)),
            np.where(wrong, now_s + wait_s, np.minimum(self.until_s, now_s + LONGEST_S)),
            wait_s,
            np.where(wrong, demand, self.demand),
        )


def consolidated(proposal: Proposal, tried: Tried, seen: Observation, demand: FloatArray, high: IntArray) -> Proposal:
    """No fall to a count that was too few just now, while demand is as it was or nobody knows it.

    `demand` is as for `Tried.after`; `high` is the largest count that is allowed. Idempotent.
    """
    less = (tried.demand > 0) & (demand > 0) & (demand < LESS * tried.demand)
    banned = (tried.until_s > seen.now_s) & ~less
    least = np.minimum(np.minimum(seen.spec_replicas, tried.too_few + 1), high)
    return proposal.where(banned, np.maximum(proposal.target, least), rule="consolidation")

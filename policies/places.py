"""Where replicas stand, as columns: what policies ask for, and what was seen of bases, surges and their zones."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray, booleans, floats, integers, small


@dataclass(frozen=True, slots=True)
class SpotTerms:
    """What the policies' placements come to, `[lane]`; the rest of a lane without one says nothing."""

    placed: BoolArray
    price_ratio: FloatArray  # of a spot replica, to one on demand
    short_ratio: FloatArray  # share of replica-time that spot may leave short
    min_on_demand: IntArray

    @classmethod
    def none(cls, lanes: int = 0) -> SpotTerms:
        """Of lanes without placement."""
        return cls(booleans(lanes), floats(lanes, 1.0), floats(lanes, 0.01), integers(lanes))

    def for_lanes(self, lanes: int) -> SpotTerms:
        """These, or none where nothing was told, as by a fleet that an older Foresail packed."""
        return self if self.placed.size == lanes else SpotTerms.none(lanes)


@dataclass(frozen=True, slots=True)
class Zones:
    """The surges' replicas by zone, a flat table sorted by lane, then name. No name: not on a node yet."""

    lane: IntArray
    name: tuple[str, ...]
    ready: IntArray
    starting: IntArray
    waiting: IntArray  # refused a node so far
    noticed: IntArray  # of those that are ready or starting: their node is announced to go
    lost: IntArray  # taken back since the last tick

    @classmethod
    def none(cls) -> Zones:
        """Nothing stands anywhere."""
        return cls(integers(0), (), *(integers(0) for _ in range(5)))


@dataclass(frozen=True, slots=True)
class Places:
    """What was seen of the two objects of each placed lane, `[lane]`; zeros for the others."""

    surge: IntArray  # replicas that the surge's scale asks for
    hold: SmallArray  # `Hold`: why the surge must not be changed, beside what holds the lane
    known: BoolArray  # the surge is there, and where its replicas stand is known
    base_ready: IntArray
    base_starting: IntArray
    base_waiting: IntArray  # refused a node so far
    zones: Zones = field(default_factory=Zones.none)

    @classmethod
    def none(cls, lanes: int) -> Places:
        """No lane is placed."""
        first, second, third = integers(lanes), integers(lanes), integers(lanes)
        return cls(integers(lanes), small(lanes), booleans(lanes), first, second, third)

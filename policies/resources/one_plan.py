"""Size and count of workloads decided together: the size first, then the count, and never one from the other.

Where replicas are scaled on the utilisation of their requests, a smaller request makes a higher utilisation, that makes
more replicas, each of them does less, and the next request is smaller still. Nothing in that circle is demand, so the
plan goes round it once: it takes the new size as fixed and counts the replicas that it needs at the load of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from policies.pricing.shapes import MILLI

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray

GIB_MILLI: Final = 2**30 * 1000  # thousandths of a byte


class Signal(IntEnum):
    """What scales the replicas."""

    FREE = 0  # nothing, or what does not depend on the size: a rate, a queue, a declared capacity
    CPU = 1  # utilisation of the CPU request
    MEMORY = 2  # utilisation of the memory request


class Finding(IntEnum):
    """What is to be said of a plan."""

    NONE = 0
    FED_BY_SIZE = 1  # the count follows the size: it changes with it, and the circle must be cut
    SIZE_KEPT = 2  # the size that feeds the count stays, for changing it saves nothing or finds no room


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one replica asks for, in thousandths of a core and of a byte, `[workload]`."""

    cpu_milli: IntArray
    memory_milli: IntArray


@dataclass(frozen=True, slots=True)
class Counts:
    """How many replicas there are and may be, and what scales them (`Signal`), `[workload]`."""

    replicas: IntArray
    most: IntArray
    signal: SmallArray


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What a core, a GiB, and all else of one replica cost an hour, `[workload]`; NaN where nobody knows."""

    core: FloatArray
    gib: FloatArray
    rest: FloatArray

    def of(self, replicas: IntArray, sizes: Sizes) -> FloatArray:
        """What so many replicas of such a size cost an hour, `[workload]`."""
        cores, gib = sizes.cpu_milli / MILLI, sizes.memory_milli / GIB_MILLI
        return replicas * (cores * self.core + gib * self.gib + self.rest)


@dataclass(frozen=True, slots=True)
class OnePlan:
    """Size and count that go together, what they cost an hour, and what is to be said (`Finding`), `[workload]`."""

    sizes: Sizes
    replicas: IntArray
    before: FloatArray  # an hour; NaN where nobody knows
    after: FloatArray
    finding: SmallArray


def one_plan(now: Sizes, counts: Counts, wanted: Sizes, prices: UnitPrices) -> OnePlan:
    """Right-size, then count.

    A workload whose count does not follow its size keeps its count. One that follows the request of a resource needs
    ``ceil(replicas x request / new request)`` replicas for the load of now, as Kubernetes would count them. A request
    that is too small is raised whatever it costs; one that is too large is lowered where the whole then costs less and
    its replicas stay within `most`, and is left alone otherwise. Without prices only cores and bytes are compared: the
    whole must take less of one and no more of the other.
    """
    resized = _counted(now, counts, wanted)
    kept = _with_own_kept(now, counts, wanted)
    raised, differs = _own(counts, wanted) > _own(counts, now), _own(counts, wanted) != _own(counts, now)
    fits = resized <= counts.most
    take = ~differs | raised | (fits & _cheaper(resized, wanted, counts.replicas, kept, prices))
    sizes = _chosen(take, wanted, kept)
    replicas = np.where(take, np.minimum(resized, np.maximum(counts.most, counts.replicas)), counts.replicas)
    finding = np.where(differs, np.where(take, Finding.FED_BY_SIZE, Finding.SIZE_KEPT), Finding.NONE)
    return OnePlan(
        sizes, replicas, prices.of(counts.replicas, now), prices.of(replicas, sizes), finding.astype(np.int8)
    )


def _own(counts: Counts, sizes: Sizes) -> IntArray:
    """The request that the count follows; 0 where it follows none."""
    of_memory = np.where(counts.signal == Signal.MEMORY, sizes.memory_milli, 0)
    return np.where(counts.signal == Signal.CPU, sizes.cpu_milli, of_memory)


def _counted(now: Sizes, counts: Counts, wanted: Sizes) -> IntArray:
    """Replicas of the wanted size for the load of now."""
    before, after = _own(counts, now), _own(counts, wanted)
    follows = (before > 0) & (after > 0)
    needed = np.ceil(counts.replicas * before.astype(np.float64) / np.maximum(after, 1)).astype(np.int64)
    return np.where(follows, needed, counts.replicas)


def _with_own_kept(now: Sizes, counts: Counts, wanted: Sizes) -> Sizes:
    """The wanted sizes, but for the request that the count follows."""
    return Sizes(
        np.where(counts.signal == Signal.CPU, now.cpu_milli, wanted.cpu_milli),
        np.where(counts.signal == Signal.MEMORY, now.memory_milli, wanted.memory_milli),
    )


def _cheaper(resized: IntArray, wanted: Sizes, replicas: IntArray, kept: Sizes, prices: UnitPrices) -> BoolArray:
    """Whether the resized whole costs less than that with the request kept."""
    ours, theirs = prices.of(resized, wanted), prices.of(replicas, kept)
    cpu, memory = resized * wanted.cpu_milli, resized * (wanted.memory_milli / MILLI)
    cpu_kept, memory_kept = replicas * kept.cpu_milli, replicas * (kept.memory_milli / MILLI)
    no_more = (cpu <= cpu_kept) & (memory <= memory_kept)
    less = (cpu < cpu_kept) | (memory < memory_kept)
    known = np.isfinite(ours) & np.isfinite(theirs)
    return np.where(known, ours < theirs, no_more & less)


def _chosen(take: BoolArray, wanted: Sizes, kept: Sizes) -> Sizes:
    return Sizes(
        np.where(take, wanted.cpu_milli, kept.cpu_milli), np.where(take, wanted.memory_milli, kept.memory_milli)
    )


def words_of(finding: int, signal: int) -> str:
    """A finding for people; empty where there is nothing to say."""
    resource = Signal(signal).name.lower()
    match Finding(finding):
        case Finding.FED_BY_SIZE:
            return (
                f"its replicas follow the utilisation of the {resource} request that changes here: change size and"
                " count together, and scale on a rate or a declared capacityPerReplica, else each new size moves the"
                " count and each new count the size"
            )
        case Finding.SIZE_KEPT:
            return (
                f"its replicas follow the utilisation of the {resource} request: a smaller one only makes more"
                " replicas, so it stays; scale on a rate or a declared capacityPerReplica to right-size it"
            )
        case _:
            return ""

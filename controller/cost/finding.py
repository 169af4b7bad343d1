"""One thing found of a cluster's GPUs: why, what it costs, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.money import HOURS_A_MONTH, MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray

_NAMED = 3


class Kind(StrEnum):
    """What a finding is about, in the order in which they are told."""

    IDLE = "idle"  # allocated and not used
    WAITING = "waiting"  # pods that wait for devices
    FLEET = "fleet"  # how full a pool is
    REPACK = "repack"  # nodes that moves would empty
    FRAGMENTED = "fragmented"  # free, and too few on each node
    STRANDED = "stranded"  # free, without CPU or memory beside them


@dataclass(frozen=True, slots=True)
class Finding:
    """What it is about, `devices` of it, and what those cost; `per_month` is None where no price is known."""

    kind: Kind
    namespace: str  # empty where it is about nodes
    what: str  # the workload, or the pool
    resource: str
    devices: int
    per_month: float | None
    why: str
    mend: str


def named(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def counted(number: int, noun: str) -> str:
    """A number of things: 1 pod, 2 pods."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def money(micros: FloatArray | float) -> float | None:
    """Millionths of the currency an hour as an amount a month; None where a price is missing."""
    total = float(np.sum(micros))
    return total / MICROS * HOURS_A_MONTH if np.isfinite(total) else None

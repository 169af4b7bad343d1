"""How a load becomes steps, what a replica can serve, and which steps only warm a policy up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import DAY_S

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from simulations.load_file import Load

HELD_S = 60.0  # traces at least this fine are held constant within a sample, coarser ones interpolated
_GAP = 1.5  # usual distances between samples
_SHORT_DAYS = 7.5
_WARMUP_DAYS, _SHORT_WARMUP_DAYS = 3, 1
_QUANTILE_SPEC = re.compile(r"p(?P<percent>\d{1,3}(?:\.\d+)?)/(?P<replicas>\d+(?:\.\d+)?)")


class ProtocolError(ValueError):
    """A load or a capacity that the protocol cannot use; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A load on equal steps: wall time and demand of each, `[step]`; demand is never negative.

    Where a step is not `known`, the load has no data: its demand bridges the gap so that plans can be scored, and a
    policy must not see it.
    """

    at_s: FloatArray
    demand: FloatArray
    step_s: float
    known: BoolArray

    @property
    def warmup_steps(self) -> int:
        """Steps that are not scored: 3 days, or 1 day of a load of a week or less."""
        return int(warmup_of(float(self.at_s[-1] - self.at_s[0])) / self.step_s)


def warmup_of(length_s: float) -> float:
    """How much of a load that lasts `length_s` only warms a policy up, in seconds: 3 days, or 1 of a week or less."""
    return (_WARMUP_DAYS if length_s > _SHORT_DAYS * DAY_S else _SHORT_WARMUP_DAYS) * DAY_S


def grid(load: Load, *, step_s: float) -> Grid:
    """Put a load on steps from its first to its last measured sample; gaps are bridged, and known as gaps.

    A gap is a sample without a value, or a distance between samples of more than 1.5 usual ones. Raises ProtocolError
    with fewer than two measured samples.
    """
    measured = np.isfinite(load.value)
    at_s, value = load.at_s[measured], load.value[measured]
    if at_s.size < 2:  # noqa: PLR2004 - a step needs a start and an end
        raise ProtocolError(f"the load has {at_s.size} measured samples; a replay needs at least 2")
    steps_s = np.arange(at_s[0], at_s[-1], step_s)
    held = np.median(np.diff(at_s)) <= HELD_S
    demand = value[np.searchsorted(at_s, steps_s, side="right") - 1] if held else np.interp(steps_s, at_s, value)
    return Grid(steps_s, np.maximum(0.0, demand), step_s, _known(load, steps_s, held=bool(held)))


def _known(load: Load, steps_s: FloatArray, *, held: bool) -> BoolArray:
    """Whether each step lies on data, `[step]`: within a measured sample's own time, or between two measured ones."""
    measured = np.append(np.isfinite(load.value), False)
    usual_s = float(np.median(np.diff(load.at_s)))
    apart_s = np.append(np.diff(load.at_s), np.inf)
    row = np.searchsorted(load.at_s, steps_s, side="right") - 1
    adjoining = apart_s[row] <= _GAP * usual_s
    since_s = steps_s - load.at_s[row]
    covered = adjoining | (since_s < usual_s) if held else (adjoining & measured[row + 1]) | (since_s == 0)
    known: BoolArray = measured[row] & covered
    return known


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one replica serves at 100 %: a plain number, or set by a quantile of the load itself."""

    plain: float | None = None
    quantile_ratio: float = 0.0
    replicas: float = 0.0  # that serve the quantile at the serving limit

    @classmethod
    def parse(cls, text: str) -> Capacity:
        """Read ``p99.9/40`` (the load's 99.9th percentile needs 40 replicas at the serving limit) or ``120``.

        Raises ProtocolError.
        """
        if found := _QUANTILE_SPEC.fullmatch(text):
            ratio, replicas = float(Decimal(found["percent"]) / 100), float(found["replicas"])
            if ratio <= 1 and replicas > 0:
                return cls(quantile_ratio=ratio, replicas=replicas)
        elif re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", text) and float(text) > 0:
            return cls(plain=float(text))
        raise ProtocolError(
            f"capacity {text!r} is neither a number above 0 (load that one replica serves at 100 %) "
            "nor a percentile and the replicas that serve it at the serving limit, as in p99.9/40"
        )

    def of(self, demand: FloatArray, *, serving_limit_ratio: float) -> float:
        """Load that one replica serves at 100 %. Raises ProtocolError where the quantile of the load is 0."""
        if self.plain is not None:
            return self.plain
        capacity = float(np.quantile(demand, self.quantile_ratio) / (self.replicas * serving_limit_ratio))
        if capacity <= 0:
            percent = round(self.quantile_ratio * 100, 6)
            raise ProtocolError(f"the load's {percent:g}th percentile is 0: give the capacity as a number")
        return capacity

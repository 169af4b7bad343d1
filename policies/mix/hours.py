"""Demand by the hour: what commitments are planned on and paid by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray

HOUR_S = 3600
WEEK_HOURS = 168


@dataclass(frozen=True, slots=True)
class Hours:
    """Mean units of each hour, `[hour]`, hour after hour from a wall time; NaN where nothing was measured."""

    start_s: float
    units: FloatArray

    @classmethod
    def of(cls, at_s: FloatArray, value: FloatArray) -> Hours:
        """Average samples, `[sample]`, of rising times, by the hours of the clock (UTC); NaN is no sample.

        Raises ValueError where there is no sample.
        """
        measured = np.isfinite(value)
        if not measured.any():
            raise ValueError("no sample has a value")
        hour = at_s[measured].astype(np.int64) // HOUR_S
        row = hour - hour[0]
        counts, sums = np.bincount(row), np.bincount(row, value[measured])
        return cls(float(hour[0] * HOUR_S), np.divide(sums, counts, out=np.full(sums.size, np.nan), where=counts > 0))

    @property
    def known(self) -> FloatArray:
        """The hours that were measured, one after the other."""
        return self.units[np.isfinite(self.units)]

    def before(self, moment_s: float) -> Hours:
        """The hours that end by then."""
        return Hours(self.start_s, self.units[: max(0, int((moment_s - self.start_s) // HOUR_S))])

    def since(self, moment_s: float) -> Hours:
        """The hours that begin then or later."""
        first = max(0, int(-((self.start_s - moment_s) // HOUR_S)))
        return Hours(self.start_s + first * HOUR_S, self.units[first:])

    def weeks(self) -> FloatArray:
        """The newest whole weeks, `[week, hour]`."""
        count = self.units.size // WEEK_HOURS
        return self.units[self.units.size - count * WEEK_HOURS :].reshape(count, WEEK_HOURS)

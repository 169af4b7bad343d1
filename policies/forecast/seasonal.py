"""The seasonal forecaster: what a track does at this time of day and week, and how much of today's difference lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, floats, indices
from policies.forecast.harmonics import FEATURES, Pattern, features_at, fit_season
from policies.forecast.residuals import HORIZONS_MIN, LEVELS, SEASON_ONLY, SMALLEST_CENTER, spread_of
from policies.history import MINUTE_S, Window

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

DAY_MIN = 24 * 60
NEEDED_MIN = DAY_MIN
NEEDED_KNOWN_RATIO = 0.5
DAY_PATTERN_DAYS = 2  # with a day alone, its pattern cannot be told from chance
WEEK_PATTERN_DAYS = 7
ALMOST_MIN = 60  # a window of seven days may lack an hour at its end
REFIT_EVERY_S = 6 * 3600.0
OLDEST_FIT_S = 24 * 3600.0

BIN_MIN = 5  # the fit sees means over five minutes
FOLDS = 5
HELD_MIN = 5
_ROWS_AT_ONCE = 64  # 64 rows of 7 days take 5 MB per array


@dataclass(frozen=True, slots=True)
class SeasonalFit:
    """What `refit` learned, one row per track of demand. Offsets and coefficients are in units of `scale`."""

    fitted_at_s: float
    uid: tuple[str, ...]
    known: BoolArray  # [row]
    scale: FloatArray  # mean of the row [row]
    coefficient: FloatArray  # [row, feature], the constant first
    rho: FloatArray  # share of the difference from the season that lasts [row, horizon]
    offset: FloatArray  # quantiles of what is left [row, horizon, level]
    relative: BoolArray  # offsets are shares of the forecast, not parts of scale [row]

    @classmethod
    def empty(cls, uid: tuple[str, ...], fitted_at_s: float) -> SeasonalFit:
        """A fit that knows nothing of any row."""
        rows, horizons = len(uid), len(HORIZONS_MIN) + 1
        return cls(
            fitted_at_s=fitted_at_s,
            uid=uid,
            known=booleans(rows),
            scale=floats(rows, 1.0),
            coefficient=np.zeros((rows, FEATURES)),
            rho=np.zeros((rows, horizons)),
            offset=np.zeros((rows, horizons, len(LEVELS))),
            relative=booleans(rows),
        )

    def aligned(self, uid: tuple[str, ...]) -> SeasonalFit:
        """The same fit for the rows `uid`; a row that it has not seen is not known."""
        if uid == self.uid:
            return self
        row_of = {name: row for row, name in enumerate(self.uid)}
        source = np.array([row_of.get(name, -1) for name in uid], np.int64)
        new, to = SeasonalFit.empty(uid, self.fitted_at_s), indices(source >= 0)
        new.known[to] = self.known[source[to]]
        new.scale[to] = self.scale[source[to]]
        new.coefficient[to] = self.coefficient[source[to]]
        new.rho[to] = self.rho[source[to]]
        new.offset[to] = self.offset[source[to]]
        new.relative[to] = self.relative[source[to]]
        return new

    def usable_at(self, at_s: float) -> bool:
        """Whether the fit is recent enough, with up to three refits that did not come."""
        return abs(at_s - self.fitted_at_s) <= OLDEST_FIT_S


def refit(window: Window, *, now_s: float, rows: tuple[str, ...]) -> SeasonalFit:
    """Fit every row of `window`, `[row, minute]`, whose uids are `rows`.

    Rows that have half of their minutes, a day of them at least, are known. Those with as many days of data are
    fitted together: with a day pattern from two days on, with a week pattern from seven. A row's fit does not
    depend on the other rows.
    """
    fit = SeasonalFit.empty(rows, now_s)
    days, pattern = _days_of_data(window.known)
    for group_days, group_pattern in np.unique(np.stack([days, pattern], axis=1)[days > 0], axis=0).tolist():
        group = indices((days == group_days) & (pattern == group_pattern))
        for start in range(0, group.size, _ROWS_AT_ONCE):
            _fit_group(fit, group[start : start + _ROWS_AT_ONCE], _tail(window, group_days), Pattern(group_pattern))
    return fit


def predict(  # noqa: PLR0913 - four columns of one table, at one time, of one fit
    fit: SeasonalFit, *, at_s: float, value: FloatArray, known: BoolArray, lead_s: FloatArray, quantile: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """(known, median, upper), each `[row]`, in the unit of the value; never below 0.

    The forecast is season(at + lead) + rho * (value - season(at)), plus the quantile of what such forecasts
    missed. Where the value is not known it is the season, plus the quantile of what the season alone missed.
    Misses are taken for a lead of 1 to 60 minutes and a quantile of 0.5 to 0.999; beyond, for the nearest.
    """
    rows = len(fit.uid)
    if not fit.usable_at(at_s):
        return booleans(rows), floats(rows), floats(rows)
    between = _Between.of(lead_s, known)
    row_known = fit.known & np.isfinite(lead_s)
    surplus = np.where(known, value / fit.scale - _season(fit, np.full(rows, at_s)), 0.0)
    center = np.maximum(_season(fit, at_s + lead_s) + between.of_table(fit.rho) * surplus, 0.0)
    median = np.maximum(_raised(fit, between, center, floats(rows, LEVELS[0])), 0.0)
    upper = np.maximum(_raised(fit, between, center, quantile), median)
    return row_known, np.where(row_known, median * fit.scale, 0.0), np.where(row_known, upper * fit.scale, 0.0)


@dataclass(frozen=True, slots=True)
class _Between:
    """Each row's place between two columns of a table of horizons, `[row]`."""

    near: IntArray
    far: IntArray
    weight: FloatArray  # of far

    @classmethod
    def of(cls, lead_s: FloatArray, known: BoolArray) -> _Between:
        """Where `lead_s` stands among the horizons; the season's own column where the value is not known."""
        horizons = np.array(HORIZONS_MIN, np.float64)
        lead_min = np.clip(np.nan_to_num(lead_s) / MINUTE_S, horizons[0], horizons[-1])
        near = np.minimum(np.searchsorted(horizons, lead_min, side="right"), horizons.size - 1) - 1
        weight = (lead_min - horizons[near]) / (horizons[near + 1] - horizons[near])
        return cls(np.where(known, near, SEASON_ONLY), np.where(known, near + 1, SEASON_ONLY), weight)

    def of_table(self, table: FloatArray) -> FloatArray:
        """Entries of `[row, horizon]` between the two columns, `[row]`."""
        row = np.arange(self.near.size)
        return (1 - self.weight) * table[row, self.near] + self.weight * table[row, self.far]


def _season(fit: SeasonalFit, at_s: FloatArray) -> FloatArray:
    """The season of each row at its own time, in units of scale, `[row]`."""
    minute, place = np.unique((np.nan_to_num(at_s) // MINUTE_S).astype(np.int64), return_inverse=True)
    season: FloatArray = np.einsum("rf,rf->r", features_at(minute)[place], fit.coefficient)
    return season


def _raised(fit: SeasonalFit, between: _Between, center: FloatArray, quantile: FloatArray) -> FloatArray:
    """`center` raised to `quantile`, between horizons in proportion and between levels by the logarithm of 1 - q."""
    depth = -np.log(1 - np.array(LEVELS))
    wanted = np.clip(-np.log1p(-np.clip(quantile, 0.0, LEVELS[-1])), depth[0], depth[-1])
    low = np.minimum(np.searchsorted(depth, wanted, side="right"), depth.size - 1) - 1
    share = (wanted - depth[low]) / (depth[low + 1] - depth[low])
    row = np.arange(center.size)
    raised = np.zeros((2, center.size))
    for side, column in enumerate((between.near, between.far)):
        offset = (1 - share) * fit.offset[row, column, low] + share * fit.offset[row, column, low + 1]
        unit = np.where(fit.relative, np.maximum(center, SMALLEST_CENTER), 1.0)
        raised[side] = center + offset * unit
    total: FloatArray = (1 - between.weight) * raised[0] + between.weight * raised[1]
    return total


def _days_of_data(known: BoolArray) -> tuple[IntArray, IntArray]:
    """Days from the first known minute to the end, 0 where too little is known, and the pattern they allow, `[row]`."""
    rows, minutes = known.shape
    first = known.argmax(axis=1) if minutes else np.zeros(rows, np.int64)
    span = np.where(known.any(axis=1), minutes - first, 0)
    enough = (span >= NEEDED_MIN) & (known.sum(axis=1) >= NEEDED_KNOWN_RATIO * span)
    days = np.where(enough, (span + ALMOST_MIN) // DAY_MIN, 0)
    padded = np.pad(known, ((0, 0), (-minutes % DAY_MIN, 0)))
    by_day = padded.reshape(rows, padded.shape[1] // DAY_MIN, DAY_MIN).sum(axis=2)
    covered = np.minimum(days, (by_day >= NEEDED_KNOWN_RATIO * DAY_MIN).sum(axis=1))
    steps = np.array([DAY_PATTERN_DAYS, WEEK_PATTERN_DAYS])
    return days, np.searchsorted(steps, covered, side="right")


def _tail(window: Window, days: int) -> Window:
    """The last `days` and the part of a day before them, in whole bins."""
    total = window.value.shape[1]
    minutes = min((days + 1) * DAY_MIN, total) // BIN_MIN * BIN_MIN
    start_s = window.start_s + (total - minutes) * MINUTE_S
    return Window(start_s, window.value[:, total - minutes :], window.known[:, total - minutes :])


def _fit_group(fit: SeasonalFit, group: IntArray, window: Window, pattern: Pattern) -> None:
    """Write the fit of the rows `group` of `window` into `fit`."""
    known = window.known[group]
    value = np.where(known, window.value[group], 0.0).astype(np.float64)
    mean = np.sum(np.abs(value), axis=1) / known.sum(axis=1)
    scale = np.where(mean > 0, mean, 1.0)
    value /= scale[:, np.newaxis]
    minute = window.start_s // MINUTE_S + np.arange(value.shape[1])
    data = _Data(value, known, features_at(minute), pattern)
    spread = spread_of(*_held(value, known), data.season_unseen())
    fit.known[group] = spread.enough
    fit.scale[group] = scale
    fit.coefficient[group] = data.coefficient(np.zeros(minute.size, np.bool_))
    fit.rho[group], fit.offset[group], fit.relative[group] = spread.rho, spread.offset, spread.relative


@dataclass(frozen=True, slots=True)
class _Data:
    """Minutes of a group of rows; `value` is 0 where not known."""

    value: FloatArray  # [row, minute]
    known: BoolArray
    features: FloatArray  # [minute, feature]
    pattern: Pattern

    def season_unseen(self) -> FloatArray:
        """The season at each minute, `[row, minute]`, as fitted without the day of that minute.

        Days are left out in five groups; for a flat season, stretches of a fifth of a day.
        """
        minute = np.arange(self.value.shape[1])[::-1]
        fold = minute // (DAY_MIN // FOLDS if self.pattern is Pattern.FLAT else DAY_MIN) % FOLDS
        season = np.zeros_like(self.value)
        for number in np.unique(fold):
            left_out = fold == number
            season[:, left_out] = self.coefficient(left_out) @ self.features[left_out].T
        return season

    def coefficient(self, left_out: BoolArray) -> FloatArray:
        """Coefficients `[row, feature]` of means over a few minutes, without the minutes `left_out`."""
        known = self.known & ~left_out
        count = known.reshape(known.shape[0], -1, BIN_MIN).sum(axis=2).T
        total = (self.value * known).reshape(known.shape[0], -1, BIN_MIN).sum(axis=2).T
        kept = ~left_out.reshape(-1, BIN_MIN).any(axis=1)
        features = self.features.reshape(-1, BIN_MIN, FEATURES).mean(axis=1)
        value = total / np.maximum(count, 1)
        return fit_season(features[kept], value[kept], count[kept] > 0, self.pattern)


def _held(value: FloatArray, known: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Holes of up to `HELD_MIN` minutes take the value before them, as the live value does."""
    minute = np.arange(value.shape[1])
    last = np.maximum.accumulate(np.where(known, minute, -1), axis=1)
    held = (last >= 0) & (minute - last <= HELD_MIN)
    return np.where(held, np.take_along_axis(value, np.maximum(last, 0), axis=1), 0.0), held

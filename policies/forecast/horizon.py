"""The horizon layer: quantiles of every demand track from a minute to a week ahead, refit now and then, in arrays.

Two experts speak for each row and horizon: a ridge regression (the family of scikit-learn's `Ridge`, fitted for many
rows at once) and the seasonal-naive value of a day or a week before. Rolling backtests say which is in charge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray, booleans, floats, indices
from policies.forecast.bands import LEVELS, SCORED
from policies.forecast.declared import without_events
from policies.forecast.features import MEAN_FEATURES, SCALE_FEATURES
from policies.forecast.governance import EXPERTS, Expert, demoted_now, in_charge
from policies.forecast.rolling import BUCKETS_MIN, HORIZONS_MIN, fit_rows
from policies.forecast.shape import Units
from policies.forecast.young import borrowed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.events import Spans
    from policies.history import Window

REFIT_EVERY_S = 6 * 3600.0
OLDEST_FIT_S = 24 * 3600.0
NEEDED_MIN = 15  # known minutes of a row; with fewer nothing is said of it
_ROWS_AT_ONCE = 16
_ROWS_PREPARED = 256  # of two weeks: 26 MB

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HorizonFit:
    """What a refit learned and how well that did, one row per track of demand; experts in the order of EXPERTS."""

    uid: tuple[str, ...]
    fitted_at_s: FloatArray  # wall time [row]
    known: BoolArray  # [row]
    scale: FloatArray  # mean of the row [row]
    ground: FloatArray  # of Units [row]
    peak: FloatArray  # largest value of the row [row]
    mean: Float32  # ridge coefficients [row, horizon, feature]
    period_min: NDArray[np.int32]  # of the seasonal-naive; 0 = the last hour's level [row, horizon]
    spread: Float32  # coefficients of the ln of misses' scale [row, expert, horizon, feature]
    middle: Float32  # usual ln of that scale [row, expert, horizon]
    reach: Float32  # largest change in ln that was seen [row, horizon]
    offset: Float32  # quantiles in units of that scale [row, expert, horizon, level]
    number: FloatArray  # independent misses that the quantiles rest on [row, expert, horizon]
    loss: FloatArray  # pinball over the backtest, all SCORED together, over `scale` [row, expert, horizon]
    coverage: FloatArray  # in the newest block of the backtest [row, expert, horizon, scored]
    recent: FloatArray  # pinball loss there, over `scale` [row, expert, horizon, scored]
    judged: FloatArray  # independent misses there [row, expert, horizon]
    demoted: BoolArray  # [row, expert, horizon]
    charge: SmallArray  # Expert in charge [row, horizon]

    @classmethod
    def empty(cls, uid: tuple[str, ...], fitted_at_s: float = -np.inf) -> HorizonFit:
        """A fit that knows nothing of any row; made at `fitted_at_s`, or never."""
        rows, experts, horizons = len(uid), len(EXPERTS), len(HORIZONS_MIN)
        each = (rows, experts, horizons)
        return cls(
            uid=uid,
            fitted_at_s=np.full(rows, fitted_at_s),
            known=booleans(rows),
            scale=floats(rows, 1.0),
            ground=floats(rows, 1.0),
            peak=floats(rows),
            mean=np.zeros((rows, horizons, MEAN_FEATURES), np.float32),
            period_min=np.zeros((rows, horizons), np.int32),
            spread=np.zeros((*each, SCALE_FEATURES), np.float32),
            middle=np.zeros(each, np.float32),
            reach=np.zeros((rows, horizons), np.float32),
            offset=np.zeros((*each, len(LEVELS)), np.float32),
            number=np.zeros(each),
            loss=np.full(each, np.inf),
            coverage=np.zeros((*each, len(SCORED))),
            recent=np.zeros((*each, len(SCORED))),
            judged=np.zeros(each),
            demoted=np.zeros(each, np.bool_),
            charge=np.full((rows, horizons), Expert.NONE, np.int8),
        )

    def aligned(self, uid: tuple[str, ...]) -> HorizonFit:
        """The same fit for the rows `uid`; a row that it has not seen is not known."""
        if uid == self.uid:
            return self
        row_of = {name: row for row, name in enumerate(self.uid)}
        source = np.array([row_of.get(name, -1) for name in uid], np.int64)
        new, to = HorizonFit.empty(uid), indices(source >= 0)
        for name, column in self._columns():
            getattr(new, name)[to] = column[source[to]]
        return new

    def with_rows(self, other: HorizonFit) -> HorizonFit:
        """This fit with the rows of `other` instead of its own; rows that it does not have are left out."""
        row_of = {name: row for row, name in enumerate(self.uid)}
        place = np.array([row_of.get(name, -1) for name in other.uid], np.int64)
        new, of = {name: column.copy() for name, column in self._columns()}, indices(place >= 0)
        for name, column in other._columns():
            new[name][place[of]] = column[of]
        return cast("HorizonFit", replace(cast("Any", self), **new))

    def _columns(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Every column by its name."""
        for each in fields(self):
            column = getattr(self, each.name)
            if isinstance(column, np.ndarray):
                yield each.name, column

    def units(self, rows: IntArray) -> Units:
        """On which scale `rows` are modelled."""
        return Units(self.scale[rows], self.ground[rows])

    def usable_at(self, at_s: FloatArray) -> BoolArray:
        """Whether each row's fit is recent enough, with up to three refits that did not come, `[row, time]`."""
        recent: BoolArray = np.abs(at_s - self.fitted_at_s[:, np.newaxis]) <= OLDEST_FIT_S
        return recent


def refit(
    window: Window,
    *,
    now_s: float,
    rows: tuple[str, ...],
    before: HorizonFit | None = None,
    events: Spans | None = None,
) -> HorizonFit:
    """Fit every row of `window`, `[row, minute]`, whose uids are `rows`, as it would have been without `events`.

    Rows of like age and sampling are fitted together; a row's fit does not depend on the other rows. `before` is the
    last fit: the expert in charge and those demoted carry over. ValueError when `rows` are not those of the window.
    """
    if window.value.shape[0] != len(rows):
        raise ValueError(f"the window has {window.value.shape[0]} rows and {len(rows)} names")
    window = window if events is None else without_events(window, events)
    fit = HorizonFit.empty(rows, now_s)
    for start in range(0, len(rows), _ROWS_PREPARED):
        _fit_part(fit, window, slice(start, start + _ROWS_PREPARED))
    borrowed(fit)
    return governed(fit, before)


def _fit_part(fit: HorizonFit, window: Window, part: slice) -> None:
    """Fill in the rows `part` of `fit`, of which alone the window is copied."""
    of = type(window)(window.start_s, window.value[part], window.known[part])
    known = of.known & np.isfinite(of.value)
    fit.known[part] = np.count_nonzero(known, axis=1) >= NEEDED_MIN
    units = Units.of(of)
    fit.scale[part], fit.ground[part] = units.scale, units.ground
    fit.peak[part] = np.where(known, of.value, 0).max(axis=1, initial=0)
    for minutes, every, group in _groups(known, fit.known[part]):
        for start in range(0, group.size, _ROWS_AT_ONCE):
            chunk = group[start : start + _ROWS_AT_ONCE]
            fit_rows(fit, part.start + chunk, _tail(of, chunk, minutes), every)


def governed(fit: HorizonFit, before: HorizonFit | None) -> HorizonFit:
    """`fit` with the experts in charge, given who was before."""
    then = None if before is None else before.aligned(fit.uid)
    was = fit.demoted if then is None else then.demoted
    demoted = demoted_now(fit.coverage, fit.recent, fit.judged, was)
    charge = in_charge(fit.loss, fit.coverage, demoted, None if then is None else then.charge)
    charge[~fit.known] = Expert.NONE
    return replace(fit, demoted=demoted, charge=charge)


def _groups(known: BoolArray, wanted: BoolArray) -> list[tuple[int, tuple[int, int], NDArray[np.int64]]]:
    """Rows that are fitted together: by the minutes that hold their data, and by step and phase of their samples."""
    keys: dict[tuple[int, tuple[int, int]], list[int]] = {}
    minutes = known.shape[1]
    for row in indices(wanted).tolist():
        at = indices(known[row])
        span = minutes - int(at[0])
        bucket = next((each for each in BUCKETS_MIN if each >= span), minutes)
        step = int(np.median(np.diff(at)))
        phase = (minutes - 1 - int(at[-1])) % step if step > 1 else 0
        keys.setdefault((min(bucket, minutes), (step, phase)), []).append(row)
    return [(bucket, every, np.array(rows, np.int64)) for (bucket, every), rows in sorted(keys.items())]


def _tail(window: Window, rows: NDArray[np.int64], minutes: int) -> Window:
    first = window.value.shape[1] - minutes
    return type(window)(window.start_s + 60 * first, window.value[rows, first:], window.known[rows, first:])

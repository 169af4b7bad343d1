"""What was last told of each lane's next week, and how the models behind it fare: what people are shown.

Nothing here is used for decisions. What is too old is not told, and a lane that is gone is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from policies.arrays import indices
from policies.forecast.bands import SCORED
from policies.forecast.governance import EXPERTS, Expert
from policies.forecast.maximum import LEADS_MIN, LEVELS
from policies.forecast.rolling import HORIZONS_MIN
from policies.rows import demand_rows, demand_tracks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.forecast.planning import Horizon
    from policies.model import Fleet

OLDEST_S = 2 * 3600.0  # since a lane's next week was looked at: four looks that did not come
COVERED = 0.95  # the quantile whose coverage is shown

_COVERED_AT = SCORED.index(COVERED)
_MINUTE_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Models:
    """How the models of each demand signal fare, one row per demand track; models in the order of EXPERTS."""

    uid: tuple[str, ...]
    lane: IntArray
    fitted_at_s: FloatArray  # -inf: never
    charge: SmallArray  # who speaks [row, horizon]; NONE: nobody
    demoted: BoolArray  # [row, model, horizon]
    coverage: NDArray[np.float32]  # of the quantile COVERED in the newest part of the backtest [row, model, horizon]
    error: NDArray[np.float32]  # pinball loss over the row's mean; infinite: cannot speak [row, model, horizon]
    judged: NDArray[np.float32]  # independent misses that coverage rests on [row, model, horizon]

    @classmethod
    def empty(cls, fleet: Fleet) -> Models:
        """Nothing was fitted."""
        uid = demand_rows(fleet)
        rows, each = len(uid), (len(uid), len(EXPERTS), len(HORIZONS_MIN))
        return cls(
            uid=uid,
            lane=fleet.tracks.lane[demand_tracks(fleet)],
            fitted_at_s=np.full(rows, -np.inf),
            charge=np.full((rows, len(HORIZONS_MIN)), Expert.NONE, np.int8),
            demoted=np.zeros(each, np.bool_),
            coverage=np.zeros(each, np.float32),
            error=np.full(each, np.inf, np.float32),
            judged=np.zeros(each, np.float32),
        )

    def known(self) -> BoolArray:
        """Whether anybody speaks for a row, `[row]`."""
        spoken: BoolArray = np.asarray((self.charge != Expert.NONE).any(axis=1))
        return spoken

    def rows_of(self, lane: int) -> list[int]:
        """The rows of a lane."""
        rows: list[int] = np.flatnonzero(self.lane == lane).tolist()
        return rows


@dataclass(frozen=True, slots=True)
class Plans:
    """By lane: what demand will need over the next week, and when more than maximum or quota allow."""

    uid: tuple[str, ...]
    made_at_s: FloatArray  # when the week ahead was looked at; -inf: never
    said: BoolArray  # whether anything was
    replicas: NDArray[np.float32]  # needed at LEADS_MIN from then [lane, lead, level]; NaN where nothing is said
    low: NDArray[np.float32]  # the same at LOW [lane, lead]
    above_at_s: FloatArray  # when more than maximum or quota is needed; infinite: not within the week [lane, level]
    maximum: IntArray  # in force then [lane, level]
    quota: FloatArray  # replicas that the namespace's quotas allow; infinite: any, NaN: nobody knows [lane]
    since_s: FloatArray  # first known minute; infinite: none
    models: Models

    @classmethod
    def empty(cls, fleet: Fleet) -> Plans:
        """Nothing was looked at."""
        lanes, levels = fleet.lanes, len(LEVELS)
        return cls(
            uid=fleet.uid,
            made_at_s=np.full(lanes, -np.inf),
            said=np.zeros(lanes, np.bool_),
            replicas=np.full((lanes, len(LEADS_MIN), levels), np.nan, np.float32),
            low=np.full((lanes, len(LEADS_MIN)), np.nan, np.float32),
            above_at_s=np.full((lanes, levels), np.nan),
            maximum=np.zeros((lanes, levels), np.int64),
            quota=np.full(lanes, np.nan),
            since_s=np.full(lanes, np.inf),
            models=Models.empty(fleet),
        )

    def aligned_to(self, fleet: Fleet) -> Plans:
        """The same for the lanes and rows of `fleet`; of new ones nothing is told."""
        new = Plans.empty(fleet)
        models = _put(new.models, self.models, keep=("lane",))
        return replace(_put(new, self, keep=("models",)), models=models)

    def with_horizon(self, horizon: Horizon) -> Plans:
        """With what was told of some lanes; those that are not here any more are left out."""
        fit, count = horizon.fit, len(horizon.uid)
        models = Models(
            uid=fit.uid,
            lane=np.zeros(len(fit.uid), np.int64),
            fitted_at_s=fit.fitted_at_s,
            charge=fit.charge,
            demoted=fit.demoted,
            coverage=fit.coverage[..., _COVERED_AT].astype(np.float32),
            error=fit.loss.astype(np.float32),
            judged=fit.judged.astype(np.float32),
        )
        told = Plans(
            uid=horizon.uid,
            made_at_s=np.full(count, horizon.made_at_s),
            said=np.asarray(np.isfinite(horizon.replicas).any(axis=(1, 2))),
            replicas=horizon.replicas,
            low=horizon.low,
            above_at_s=horizon.above_at_s,
            maximum=horizon.maximum,
            quota=horizon.quota,
            since_s=horizon.since_s,
            models=models,
        )
        return replace(_put(self, told, keep=("models",)), models=_put(self.models, models, keep=("lane",)))

    def told_at(self, now_s: float) -> BoolArray:
        """Whether something recent enough is said of a lane, `[lane]`."""
        told: BoolArray = self.said & (np.abs(now_s - self.made_at_s) <= OLDEST_S)
        return told

    def replicas_in(self, ahead_s: float, now_s: float) -> FloatArray:
        """What demand will need `ahead_s` after `now_s`, `[lane, level]`; NaN where nothing recent enough is said.

        Between the moments that were looked at it is in proportion to time; beyond them the nearest counts.
        """
        return self._in(self.replicas, ahead_s, now_s)

    def low_in(self, ahead_s: float, now_s: float) -> FloatArray:
        """The same at LOW, `[lane]`."""
        return self._in(self.low[:, :, np.newaxis], ahead_s, now_s)[:, 0]

    def _in(self, needed: NDArray[np.float32], ahead_s: float, now_s: float) -> FloatArray:
        lead = np.clip((now_s + ahead_s - self.made_at_s) / _MINUTE_S, LEADS_MIN[0], LEADS_MIN[-1])
        lead = np.where(self.told_at(now_s), lead, LEADS_MIN[0])
        leads, lanes = np.array(LEADS_MIN, np.float64), np.arange(lead.size)
        far = np.clip(np.searchsorted(leads, lead), 1, leads.size - 1)
        share = ((lead - leads[far - 1]) / (leads[far] - leads[far - 1]))[:, np.newaxis]
        found: FloatArray = (1 - share) * needed[lanes, far - 1] + share * needed[lanes, far]
        found[~self.told_at(now_s)] = np.nan
        return found

    def above_maximum_at(self, now_s: float) -> FloatArray:
        """When demand needs more than maximum or quota, `[lane, level]`; NaN where not within a week, or not known.

        A time that has passed means now.
        """
        at_s = np.where(np.isfinite(self.above_at_s), np.maximum(self.above_at_s, now_s), np.nan)
        at_s[~self.told_at(now_s)] = np.nan
        return at_s

    def bound_by_quota(self) -> BoolArray:
        """Whether the quota allows less than the maximum, `[lane, level]`; not where nobody knows."""
        lower: BoolArray = self.quota[:, np.newaxis] < self.maximum
        return lower


def _put(table: T, told: T, *, keep: tuple[str, ...]) -> T:
    """`table` with the rows of `told` whose uid it has; columns in `keep` stay as they are."""
    mine, theirs = cast("Any", table), cast("Any", told)
    row_of = {uid: row for row, uid in enumerate(mine.uid)}
    place = np.array([row_of.get(uid, -1) for uid in theirs.uid], np.int64)
    of = indices(place >= 0)
    columns = {}
    for each in fields(mine):
        if each.name not in ("uid", *keep):
            column = getattr(mine, each.name).copy()
            column[place[of]] = getattr(theirs, each.name)[of]
            columns[each.name] = column
    return cast("T", replace(mine, **columns))

"""How good forecasts were: WAPE, MASE, pinball loss and coverage, per model and horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from simulations.forecast_backtest import Forecasts, Plan

_ROUNDING = 1e-6  # a value this little above a quantile, as a share of it, is covered


@dataclass(frozen=True, slots=True)
class Score:
    """Of one model at one horizon. Figures are None where nothing could be compared."""

    model: str
    horizon_s: int
    forecasts: int  # that were made and of which it is known what came
    wape: float | None  # sum of the medians' misses over the sum of values
    mase: float | None  # mean miss of the median over the mean change across the horizon in the warm-up
    pinball: dict[str, float | None]  # by level, mean loss in the load's unit
    coverage: dict[str, float | None]  # by level, share of values at or below the quantile
    mean: float | None  # of the values
    fit_s: float


def scores(forecasts: Forecasts, plan: Plan, levels: tuple[float, ...]) -> list[Score]:
    """Score every model at every horizon at `levels`, of those of `plan`, of which the first is the median."""
    return [
        _score(model, place, (forecasts, plan), levels)
        for model in forecasts.said
        for place in range(len(plan.horizons_min))
    ]


def _score(model: str, place: int, of: tuple[Forecasts, Plan], levels: tuple[float, ...]) -> Score:
    forecasts, plan = of
    came, said = forecasts.came[:, place], forecasts.said[model][:, place]
    both = np.isfinite(came) & np.isfinite(said).all(axis=1)
    came, said = came[both], said[both]
    miss = np.abs(came - said[:, 0])
    loss = pinball(came, said, plan.levels)
    covered = came[:, np.newaxis] <= said * (1 + _ROUNDING)
    columns = {f"{level:g}": plan.levels.index(level) for level in levels}
    return Score(
        model=model,
        horizon_s=60 * plan.horizons_min[place],
        forecasts=int(both.sum()),
        wape=_ratio(miss.sum(), came.sum()),
        mase=_ratio(miss.mean() if miss.size else np.nan, float(forecasts.change[place])),
        pinball={name: _mean(loss[:, column]) for name, column in columns.items()},
        coverage={name: _mean(covered[:, column]) for name, column in columns.items()},
        mean=_mean(came),
        fit_s=forecasts.fit_s[model],
    )


def pinball(came: FloatArray, said: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Loss `[forecast, level]` of quantiles `said` `[forecast, level]` (Koenker and Bassett 1978)."""
    over = came[:, np.newaxis] - said
    level = np.array(levels)
    loss: FloatArray = np.maximum(level * over, (level - 1) * over)
    return loss


def _mean(figures: FloatArray | BoolArray) -> float | None:
    return float(figures.mean()) if figures.size else None


def _ratio(above: float, below: float) -> float | None:
    return float(above / below) if np.isfinite(above) and np.isfinite(below) and below > 0 else None

"""What the API says of a workload's next week, and of the models behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.telemetry.outlook import AHEAD_S, ahead_text, bounds, model_name
from controller.web.times import time_text
from policies.forecast.governance import EXPERTS, Expert
from policies.forecast.maximum import LEADS_MIN, LEVELS
from policies.forecast.rolling import HORIZONS_MIN
from policies.model import signal_name

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web.shapes import HorizonModels, ModelFigures, Needed, Outlook, SignalModels
    from policies.forecast.plans import Models, Plans

_QUANTILES = tuple(f"p{100 * level:g}" for level in LEVELS)


def outlook(report: TickReport, lane: int) -> Outlook | None:
    """Replicas needed ahead, when more than maximum or quota allow, and which model speaks; None where nothing is said.

    `quota` is what the quotas of the namespace allow, null where they allow any number or nobody knows.
    """
    plans, now_s = report.plans, report.at_s
    if plans is None or not plans.told_at(now_s)[lane]:
        return None
    ahead = {name: plans.replicas_in(ahead_s, now_s)[lane].tolist() for name, ahead_s in AHEAD_S.items()}
    above_s, maximum = plans.above_maximum_at(now_s)[lane].tolist(), plans.maximum[lane].tolist()
    quota, bound = float(plans.quota[lane]), bounds(plans)[lane].tolist()
    return {
        "at": time_text(float(plans.made_at_s[lane])),
        "replicas": [{"ahead": name, **_by_quantile(said)} for name, said in ahead.items()],
        "band": _band(plans, lane, now_s),
        "aboveMaximum": {
            name: {"at": time_text(at_s) if np.isfinite(at_s) else None, "maximum": most, "bound": which}
            for name, at_s, most, which in zip(_QUANTILES, above_s, maximum, bound, strict=True)
        },
        "quota": int(quota) if np.isfinite(quota) else None,
        "models": [_signal(plans.models, row) for row in plans.models.rows_of(lane)],
    }


def _by_quantile(said: list[float]) -> dict[str, str | float | None]:
    return {name: _finite(value) for name, value in zip(_QUANTILES, said, strict=True)}


def _band(plans: Plans, lane: int, now_s: float) -> list[Needed]:
    """What is needed at each of the times that the plan looked at and that are still to come."""
    at_s = [float(plans.made_at_s[lane]) + 60.0 * lead for lead in LEADS_MIN]
    return [
        {"at": time_text(each_s), "p50": _finite(median), "p90": _finite(high)}
        for each_s, (median, high) in zip(at_s, plans.replicas[lane].tolist(), strict=True)
        if each_s >= now_s
    ]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _signal(models: Models, row: int) -> SignalModels:
    fitted_s = float(models.fitted_at_s[row])
    return {
        "signal": signal_name(models.uid[row]),
        "fittedAt": time_text(fitted_s) if np.isfinite(fitted_s) else None,
        "horizons": [_horizon(models, row, place) for place in range(len(HORIZONS_MIN))],
    }


def _horizon(models: Models, row: int, place: int) -> HorizonModels:
    """Who speaks, and how each model fared in the backtest; error is the pinball loss as a share of the mean load."""
    return {
        "ahead": ahead_text(HORIZONS_MIN[place]),
        "inCharge": model_name(int(models.charge[row, place])),
        "models": {model_name(expert): _figures(models, row, expert, place) for expert in EXPERTS},
    }


def _figures(models: Models, row: int, expert: Expert, place: int) -> ModelFigures:
    error = float(models.error[row, expert, place])
    judged = float(models.judged[row, expert, place])
    return {
        "errorRatio": round(error, 4) if np.isfinite(error) else None,
        "coverage95": round(float(models.coverage[row, expert, place]), 3) if judged > 0 else None,
        "judgedOn": round(judged, 1),
        "demoted": bool(models.demoted[row, expert, place]),
    }

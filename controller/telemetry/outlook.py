"""The metrics of what is told of the next week: by workload as text, and of the models over the whole fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.forecast import exported as foretold
from policies.forecast.governance import EXPERTS, Expert
from policies.forecast.maximum import LEVELS, LOW
from policies.forecast.rolling import HORIZONS_MIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from controller.records import TickReport
    from policies.arrays import FloatArray, IntArray
    from policies.forecast.plans import Models, Plans
    from policies.metric import Gauge

AHEAD_S = {"5m": 300.0, "1h": 3600.0, "1d": 86_400.0, "7d": 604_800.0}  # that quantiles are shown of


def by_workload(report: TickReport, labels: Sequence[str]) -> Iterator[tuple[Gauge, list[str], FloatArray]]:
    """Each metric by workload, its series' labels and their values. `labels` are the workloads' own, not closed."""
    plans = report.plans
    if plans is None:
        nothing = np.zeros(0)
        yield from ((gauge, [], nothing) for gauge in (foretold.OUTLOOK, foretold.OUTLOOK_ABOVE_MAX))
        return
    names: list[str] = []
    values: list[FloatArray] = []
    for horizon, ahead_s in AHEAD_S.items():
        low, said = plans.low_in(ahead_s, report.at_s), plans.replicas_in(ahead_s, report.at_s)
        for level, needed in zip((LOW, *LEVELS), (low, *said.T), strict=True):
            known = np.flatnonzero(np.isfinite(needed))
            names += [f'{labels[lane]},horizon="{horizon}",quantile="{level:g}"}}' for lane in known.tolist()]
            values.append(needed[known])
    yield foretold.OUTLOOK, names, np.concatenate(values)
    above_s = plans.above_maximum_at(report.at_s)
    lanes, places = np.nonzero(np.isfinite(above_s))
    told = zip(lanes.tolist(), places.tolist(), bounds(plans)[lanes, places].tolist(), strict=True)
    yield (
        foretold.OUTLOOK_ABOVE_MAX,
        [f'{labels[each]},quantile="{LEVELS[level]:g}",bound="{bound}"}}' for each, level, bound in told],
        above_s[lanes, places],
    )


def of_fleet(report: TickReport) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """Each metric of the whole fleet, its labels and its value."""
    if report.plans is None:
        return
    plans, models = report.plans, report.plans.models
    known = models.known() & plans.told_at(report.at_s)[models.lane]
    yield foretold.OUTLOOK_OLDEST_FIT, (), float(models.fitted_at_s[known].min()) if known.any() else 0.0
    for place, ahead_min in enumerate(HORIZONS_MIN):
        horizon, charge = ahead_text(ahead_min), models.charge[:, place]
        for model in Expert:
            yield foretold.OUTLOOK_MODELS, (model_name(model), horizon), int((known & (charge == model)).sum())
        for expert in EXPERTS:
            lost = known & models.demoted[:, expert, place]
            yield foretold.OUTLOOK_DEMOTED, (model_name(expert), horizon), int(lost.sum())
        yield from _figures(models, np.flatnonzero(known & (charge != Expert.NONE)), place)


def ahead_text(ahead_min: int) -> str:
    """A time ahead as `5m`, `4h` or `3d`."""
    if ahead_min % 1440 == 0:
        return f"{ahead_min // 1440}d"
    return f"{ahead_min // 60}h" if ahead_min % 60 == 0 else f"{ahead_min}m"


def bounds(plans: Plans) -> NDArray[np.str_]:
    """Which of the two allows less, `[lane, level]`: `maximum` or `quota`."""
    return np.where(plans.bound_by_quota(), "quota", "maximum")


def model_name(model: int) -> str:
    """What a model is called in metrics and documents."""
    return Expert(model).name.lower()


def _figures(models: Models, rows: IntArray, place: int) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """Means of the models in charge over the rows that they could be judged on."""
    charge, horizon = models.charge[rows, place], (ahead_text(HORIZONS_MIN[place]),)
    judged = models.judged[rows, charge, place] > 0
    rows, charge = rows[judged], charge[judged]
    if rows.size:
        yield foretold.OUTLOOK_COVERAGE, horizon, float(models.coverage[rows, charge, place].mean())
        error = models.error[rows, charge, place]
        if np.isfinite(error).any():
            yield foretold.OUTLOOK_ERROR, horizon, float(error[np.isfinite(error)].mean())

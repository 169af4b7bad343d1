"""Plans of the layer with one part taken out: `python -m tests.bench.ablation PART FOLDER`, a process for each part.

Constants are frozen when loops are compiled, so a part that is one is taken out before the first call, and
NUMBA_CACHE_DIR must be a folder of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies import lead_time, tournament
from policies.forecast.nearby import shapes
from policies.forecast.recursive import forecasts
from policies.incumbent import orders_of
from policies.lead_time import past_around
from simulations import lead_time as drive
from tests.bench import judged
from tests.bench.judged import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.arrays import FloatArray, IntArray
    from policies.forecast.nearby import Past, Shape
    from policies.forecast.recursive import Models

STARTUPS_S = (60.0, 300.0)
SEASONS, JUMPS = slice(8, 23), slice(23, 28)  # features of the mean
JUMP_SCALES = slice(5, 8)  # features of the scale that tell how large jumps were
WEEK = -1  # place of its lag
NEVER = 10_000_000  # replicas that nobody would order


FROZEN: dict[str, dict[str, object]] = {
    "holds": {"HOLDS": np.zeros_like(tournament.HOLDS)},
    "the trim": {"TRIM": 0.0},
    "the mean of nearly equal candidates": {"NEARLY": 1e-5},
    "the memory of a week": {"HALF_LIFE_STEPS": np.full(tournament.SPANS, 1.0 * tournament.STEPS_A_DAY)},
    "the cap of 1.5 times the peak": {"HEADROOM": 100.0},
}  # constants of the tournament


def nothing(patch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the layer as it is
    return


def no_outsiders(patch: pytest.MonkeyPatch) -> None:
    """The incumbent and seasonal-naive order so much that they are never the cheapest."""

    def dear(*args: object) -> IntArray:
        return np.full_like(orders_of(*args), NEVER)  # type: ignore[arg-type]  # handed on as they came

    patch.setattr(lead_time, "orders_of", dear)
    patch.setattr(lead_time, "_yesterday", lambda shape: np.full_like(shape.base, np.log(NEVER)))


def one_expert(patch: pytest.MonkeyPatch) -> None:
    """The largest load until an order serves stands for the value then as well."""

    def alike(models: Models, shape: Shape, *args: object, **named: object) -> FloatArray:
        told = forecasts(models, shape, *args, **named)  # type: ignore[arg-type]  # handed on as they came
        told[:, :, [1, 3]] = told[:, :, [0, 2]]
        return told

    patch.setattr(lead_time, "forecasts", alike)


def without(*features: slice, scales: slice = slice(0)) -> Callable[[pytest.MonkeyPatch], None]:
    """Features that are always 0 and that nothing is learned of."""

    def taken_out(patch: pytest.MonkeyPatch) -> None:
        def blind(*args: object) -> Shape:
            shape = shapes(*args)  # type: ignore[arg-type]  # handed on as they came
            for each in features:
                shape.mean[:, :, each], shape.mean_then[:, :, each] = 0.0, 0.0
            shape.scale[:, :, scales], shape.scale_then[:, :, scales] = 0.0, 0.0
            return shape

        def unlearned(models: Models, *args: object, **named: object) -> FloatArray:
            for each in features:
                models.mean_gain[:, each], models.mean_gain[:, :, each] = 0.0, 0.0
            models.scale_gain[:, scales], models.scale_gain[:, :, scales] = 0.0, 0.0
            return forecasts(models, *args, **named)  # type: ignore[arg-type]  # handed on as they came

        patch.setattr(lead_time, "shapes", blind)
        patch.setattr(lead_time, "forecasts", unlearned)

    return taken_out


def no_week(patch: pytest.MonkeyPatch) -> None:
    """Nothing is known of a week ago."""

    def younger(*args: object) -> Past:
        past = past_around(*args)  # type: ignore[arg-type]  # handed on as they came
        past.value[WEEK] = np.nan
        return past

    patch.setattr(drive, "past_around", younger)


PARTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "nothing": nothing,
    "recurring jumps": without(JUMPS, scales=JUMP_SCALES),
    "days, week and time of day": without(SEASONS),
    "both": without(SEASONS, JUMPS, scales=JUMP_SCALES),
    "the expert of the value then": one_expert,
    "incumbent and seasonal-naive": no_outsiders,
}


def main() -> None:
    """Write the plan of every one-minute load and start-up into FOLDER, without this part."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    patch = pytest.MonkeyPatch()
    for constant, value in FROZEN.get(part, {}).items():
        patch.setattr(tournament, constant, value)
    PARTS.get(part, nothing)(patch)
    for name in judged.names("*_1m.parquet"):
        for startup_s in STARTUPS_S:
            plan = judged.planned(Asked(name, startup_s))
            np.save(folder / f"{name}.{startup_s:g}.npy", plan)


if __name__ == "__main__":
    main()

"""Plans of the layer with one part taken out: `python -m tests.bench.ablation PART FOLDER`, a process for each part.

Constants are frozen when loops are compiled, so a part is taken out before the first call, and NUMBA_CACHE_DIR must be
a folder of this part's own.
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
SEASONS, JUMPS, LOCAL = slice(8, 23), slice(23, 28), slice(1, 8)  # features of the mean
JUMP_SCALES = slice(5, 8)  # features of the scale that tell how large jumps were
WEEK = -1  # place of its lag
NEVER = 10_000_000  # replicas that nobody would order


def nothing(patch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the layer as it is
    return


def no_hold(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "HOLDS", np.zeros_like(tournament.HOLDS))


def no_trim(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "TRIM", 0.0)


def no_feedback(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "FEEDBACK", 0.0)


def memory_of_a_day(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "HALF_LIFE_STEPS", np.full(2, 1.0 * tournament.STEPS_A_DAY))


def memory_of_a_week(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "HALF_LIFE_STEPS", np.full(2, 7.0 * tournament.STEPS_A_DAY))


def no_cap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "HEADROOM", 100.0)


def no_scores_of_other_loads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tournament, "_BEGUN_STEPS", 1.0)


def no_outsiders(patch: pytest.MonkeyPatch) -> None:
    """The incumbent and seasonal-naive order so much that they are never the cheapest."""

    def dear(*args: object) -> IntArray:
        return np.full_like(orders_of(*args), NEVER)  # type: ignore[arg-type]  # handed on as they came

    patch.setattr(lead_time, "orders_of", dear)
    patch.setattr(lead_time, "_yesterday", lambda shape: np.full_like(shape.base, np.log(NEVER)))


def one_expert(patch: pytest.MonkeyPatch) -> None:
    """The largest load until an order serves stands for all three."""

    def alike(models: Models, shape: Shape, *args: object, **named: object) -> FloatArray:
        told = forecasts(models, shape, *args, **named)  # type: ignore[arg-type]  # handed on as they came
        told[:, :, [1, 3]] = told[:, :, [0, 2]]
        return told

    patch.setattr(lead_time, "forecasts", alike)
    patch.setattr(tournament, "CALM", 1.0)


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
    "local shape": without(LOCAL),
    "days, week and time of day": without(SEASONS),
    "recurring jumps": without(JUMPS, scales=JUMP_SCALES),
    "all but local shape": without(SEASONS, JUMPS, scales=JUMP_SCALES),
    "all experts but the largest": one_expert,
    "holds": no_hold,
    "the trim": no_trim,
    "the aim's feedback": no_feedback,
    "the memory of a week": memory_of_a_day,
    "the memory of a day": memory_of_a_week,
    "the cap of 1.5 times the peak": no_cap,
    "the scores of other loads": no_scores_of_other_loads,
    "incumbent and seasonal-naive": no_outsiders,
}


def main() -> None:
    """Write the plan of every one-minute load and start-up into FOLDER, without this part."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    PARTS[part](pytest.MonkeyPatch())
    for name in judged.names("*_1m.parquet"):
        for startup_s in STARTUPS_S:
            plan = judged.planned(Asked(name, startup_s))
            np.save(folder / f"{name}.{startup_s:g}.npy", plan)


if __name__ == "__main__":
    main()

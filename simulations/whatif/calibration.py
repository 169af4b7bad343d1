"""How near a simulation comes to what was observed: last month's replicas, lateness and bill beside the incumbent's."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.quantities import duration_text, parse_moment_s
from simulations.load_file import LoadFileError
from simulations.serving import DAY_S, HOUR_S
from simulations.whatif.answer import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulations.load_file import Load
    from simulations.whatif.answer import Answer, Estimate

COLUMNS = ("cost", "replicas", "late")
_HOLE = 1.5  # times the usual distance of rows; days of 25 hours and months of 28 days are none


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen: cost a day, the mean of replicas and the mean share of late requests, of those that are told."""

    days: float
    figures: Mapping[str, float]
    start_s: float  # wall time of the first row

    def misses(self, load: Load) -> bool:
        """Whether a recorded load is wholly of another time."""
        return not (load.at_s[0] < self.start_s + self.days * DAY_S and self.start_s < load.at_s[-1])


@dataclass(frozen=True, slots=True)
class Gap:
    """One figure as it was observed and as it is simulated, with the simulation's interval."""

    observed: float
    simulated: Estimate

    @property
    def ratio(self) -> float | None:
        """How much the simulation is above what was observed: 0.05 is 5 %. None where nothing was observed."""
        return None if self.observed == 0 else self.simulated.mean / self.observed - 1

    @property
    def reproduced(self) -> bool:
        """Whether what was observed lies in the interval of what is simulated."""
        low, high = self.simulated.low, self.simulated.high
        return low is not None and high is not None and low <= self.observed <= high


def read_observed(path: Path) -> Observed:
    """Read a CSV with `timestamp` and one or more of `cost`, `replicas` and `late`, a row for each hour or day.

    `cost` is that of the row's time, `replicas` and `late` are its means. Raises LoadFileError, which names file, row
    and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LoadFileError(f"{path}: cannot be read: {error}") from error
    told = [name for name in COLUMNS if rows and name in rows[0]]
    if len(rows) < 2 or "timestamp" not in rows[0] or not told:  # noqa: PLR2004 - a row's length is the distance
        raise LoadFileError(
            f"{path}: must have two rows at least, and the columns timestamp and cost, replicas or late"
        )
    at_s = np.array([_moment(path, number, row["timestamp"]) for number, row in enumerate(rows, 1)])
    apart_s = np.diff(at_s)
    if (apart_s <= 0).any():
        raise LoadFileError(
            f"{path}: column timestamp, row {int(np.argmax(apart_s <= 0)) + 2}: does not rise; sort the rows"
        )
    usual_s = float(np.median(apart_s))
    if (holes := apart_s > _HOLE * usual_s).any():
        row = int(np.argmax(holes)) + 2
        raise LoadFileError(
            f"{path}: column timestamp, row {row}: comes {duration_text(apart_s[row - 2])} after the one before it, and"
            f" most come after {duration_text(usual_s)}; give a row for all time between the first and the last"
        )
    days = float(at_s[-1] - at_s[0] + usual_s) / DAY_S
    columns = {name: [_number(path, number, name, row[name]) for number, row in enumerate(rows, 1)] for name in told}
    means = {name: float(np.mean(column)) for name, column in columns.items() if name != "cost"}
    cost = {"cost": sum(columns["cost"]) / days} if "cost" in columns else {}
    return Observed(days, {**cost, **means}, float(at_s[0]))


def observed_bill(hourly: Load) -> Observed:
    """What was billed an hour, at moments that are evenly apart; those that are missing are taken as the others."""
    apart_s = float(np.median(np.diff(hourly.at_s))) if hourly.at_s.size > 1 else HOUR_S
    days = float(hourly.at_s[-1] - hourly.at_s[0] + apart_s) / DAY_S
    return Observed(days, {"cost": float(hourly.value.mean()) * DAY_S / HOUR_S}, float(hourly.at_s[0]))


def gaps(answer: Answer, observed: Observed) -> dict[str, Gap]:
    """What was observed beside the incumbent of an answer, by figure; cost is a day's, without priced late requests."""
    place, runs = answer.by_run.policies.index(answer.incumbent), answer.by_run
    cost = (runs.column("cost") - runs.column("driver:late"))[place] / answer.days
    columns = {"cost": cost, "replicas": runs.column("replicas")[place], "late": runs.column("late_ratio")[place]}
    simulated = {name: estimate(column) for name, column in columns.items()}
    return {name: Gap(value, simulated[name]) for name, value in observed.figures.items()}


def document(found: Mapping[str, Gap], observed: Observed) -> dict[str, object]:
    """The key `calibration` of the answer's document."""
    return {
        "days": observed.days,
        "figures": {
            name: {
                "observed": each.observed,
                "simulated": each.simulated.mean,
                "low": each.simulated.low,
                "high": each.simulated.high,
                "gap_ratio": each.ratio,
                "reproduced": each.reproduced,
            }
            for name, each in found.items()
        },
    }


def _moment(path: Path, row: int, text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        pass
    try:
        return parse_moment_s(text)
    except ValueError as error:
        raise LoadFileError(f"{path}: column timestamp, row {row}: {error}, or seconds since 1970") from error


def _number(path: Path, row: int, name: str, text: str | None) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = float("nan")
    if not 0 <= number < float("inf"):
        raise LoadFileError(f"{path}: column {name}, row {row}: must be a number from 0 on, not {text!r}")
    return number

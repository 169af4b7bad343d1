"""`foresail mix plan`: its figures, what it sees and pays for, and what is said of wrong options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600
TERMS = ("--commitment", "1y=0.63", "--commitment", "3y=0.43")


def write(path: Path, units: np.ndarray, hours: np.ndarray | None = None) -> str:
    """Two samples an hour, whose mean is that hour's units."""
    hours = np.arange(units.size) if hours is None else hours
    at_s = (hours[:, np.newaxis] * HOUR_S + np.array([0, 1800])).ravel()
    value = (units[:, np.newaxis] + np.array([-0.5, 0.5])).ravel()
    pq.write_table(pa.table({"timestamp": pa.array(at_s), "value": pa.array(value)}), path)
    return str(path)


def planned(*arguments: str) -> dict[str, object]:
    done = run("mix", "plan", *arguments, "-o", "json")
    assert done.exit_code == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


@pytest.fixture
def demand(tmp_path: Path) -> str:
    """1 to 10 units, hour by hour, ten times."""
    return write(tmp_path / "units.parquet", np.tile(np.arange(1.0, 11.0), 10))


def test_units_and_costs_worked_by_hand(demand: str) -> None:
    made = planned("--demand", demand, *TERMS)
    # The sixth unit is used in 5 hours of 10, above 0.43, the seventh in 4. Ten hours cost 6 x 10 x 0.43 = 25.8 for
    # commitments and 1 + 2 + 3 + 4 = 10 on demand.
    assert made["commitments"] == {"1y": 0, "3y": 6}
    assert made["cost_usd"] == pytest.approx(358)
    assert made["lower_bound_usd"] == pytest.approx(358)
    assert made["all_on_demand_usd"] == made["uncommitted_usd"] == pytest.approx(550)
    assert made["covered_ratio"] == pytest.approx(45 / 55)
    assert made["used_ratio"] == pytest.approx(45 / 60)
    assert made["hold_now"] is None


def test_spot_is_paid_where_it_serves(demand: str) -> None:
    made = planned("--demand", demand, "--commitment", "1y=0.63", "--spot", "0.4", "--spot-share", "0.5")
    # 2.5 units, as in tests/policies/mix. Above them are 0, 0, 0.5, 1.5, 2.5, 3.5 ... 7.5 units, of which spot serves
    # 0.5, 1.5, 2.5, 3, 3.5, 4, 4.5 and 5 = 24.5, and on-demand 0.5 + 1 + 1.5 + 2 + 2.5 = 7.5.
    assert made["commitments"] == {"1y": 2.5}
    assert made["cost_usd"] == pytest.approx(10 * (25 * 0.63 + 24.5 * 0.4 + 7.5))
    assert made["all_on_demand_usd"] == pytest.approx(550)
    assert made["uncommitted_usd"] == pytest.approx(10 * (27.5 * 0.4 + 27.5))


@pytest.mark.parametrize(
    "until",
    [
        pytest.param("1970-01-03T00:00:00Z", id="a-moment"),
        pytest.param("172800", id="seconds"),
        pytest.param("1970-01-02T19:00:00-05:00", id="another-zone"),
    ],
)
def test_a_plan_sees_what_is_before_and_pays_for_what_is_after(tmp_path: Path, until: str) -> None:
    demand = write(tmp_path / "shift.parquet", np.repeat([10.0, 20.0], [48, 12]))
    made = planned("--demand", demand, "--commitment", "1y=0.63", "--history-until", until)
    assert made["commitments"] == {"1y": 10}
    assert made["cost_usd"] == pytest.approx(12 * (10 * 0.63 + 10))
    assert made["lower_bound_usd"] == pytest.approx(12 * 20 * 0.63)
    assert (made["hours_seen"], made["hours_paid"]) == (48, 12)


def test_hours_without_a_sample_are_neither_planned_on_nor_paid_and_said(tmp_path: Path) -> None:
    hours = np.r_[0:30, 40:240]
    demand = write(tmp_path / "gap.parquet", np.full(hours.size, 5.0), hours)
    done = run("mix", "plan", "--demand", demand, *TERMS)
    assert done.exit_code == 0
    assert "10 of 240 hours have no sample: they are unknown" in done.stderr
    made = planned("--demand", demand, *TERMS)
    assert made["all_on_demand_usd"] == pytest.approx(5 * 230)


def test_weeks_of_history_say_what_to_hold_now(tmp_path: Path) -> None:
    level = 20 * 1.5 ** (np.arange(30 * 168) // 168 / 52)
    made = planned("--demand", write(tmp_path / "grows.parquet", level), "--commitment", "1y=0.63")
    held = made["hold_now"]
    assert isinstance(held, dict)
    assert held["growth_per_year"] == pytest.approx(0.5, abs=0.1)
    assert held["commitments"]["1y"] == pytest.approx(level[-1], rel=0.05)
    assert held["growth_interval"][0] < 0.5 < held["growth_interval"][1]


def test_a_table_for_people(demand: str) -> None:
    done = run(
        *("mix", "plan", "--demand", demand, *TERMS, "--spot", "0.35", "--spot-share", "0.3"),
    )
    lines = done.stdout.splitlines()
    assert lines[0].split()[0] == "CAPACITY"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        *("1y", "3y", "spot", "on-demand", "total", "all on-demand", "best in hindsight", "no commitments")
    ]
    assert "4.2 days were seen" in done.stderr
    assert (
        "3y pays where its units will be needed for 106 weeks or more; else take 1y" in done.stderr
    )  # 156 x 0.43 / 0.63


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("--commitment", "1y=1.2"), "1y: the price must be above 0 and below on-demand (1)", id="dear"),
        pytest.param(("--commitment", "1q=0.5"), "must be a term of years or months and a price", id="unknown-term"),
        pytest.param(("--commitment", "1y=cheap"), "'cheap' is not a price", id="no-number"),
        pytest.param((*TERMS, "--commitment", "1y=0.5"), "names a term twice", id="twice"),
        pytest.param((*TERMS, "--spot", "0.3"), "give both --spot and --spot-share, or neither", id="half-a-spot"),
        pytest.param((*TERMS, "--spot", "2", "--spot-share", "0.5"), "below on-demand (1)", id="dear-spot"),
        pytest.param((*TERMS, "--spot", "0.3", "--spot-share", "30"), "above 0 and up to 1, not 30", id="per-cent"),
        pytest.param((*TERMS, "--on-demand", "0"), "the price must be above 0; it is 0", id="free"),
        pytest.param((*TERMS, "--history-until", "noon"), "must be a time such as", id="no-time"),
    ],
)
def test_wrong_options_are_usage_errors(demand: str, arguments: tuple[str, ...], message: str) -> None:
    done = run("mix", "plan", "--demand", demand, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("units", "until", "message"),
    [
        pytest.param(np.ones(10), (), "10 known hours; a plan needs at least 24", id="short"),
        pytest.param(
            np.ones(60), ("--history-until", "36000"), "10 known hours by 1970-01-01T10:00:00Z; a plan", id="seen"
        ),
        pytest.param(
            np.ones(60),
            ("--history-until", "1980-01-01"),
            "no hour to pay for since --history-until; the file ends at 1970-01-03T12:00:00Z",
            id="nothing-to-pay",
        ),
        pytest.param(-np.ones(60), (), "column value, row 1: -1.5 is below 0; units are needed", id="negative"),
        pytest.param(np.full(60, np.nan), (), "no sample has a value", id="nothing"),
    ],
)
def test_a_file_that_cannot_be_planned_on(
    tmp_path: Path, units: np.ndarray, until: tuple[str, ...], message: str
) -> None:
    done = run("mix", "plan", "--demand", write(tmp_path / "units.parquet", units), *TERMS, *until)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr

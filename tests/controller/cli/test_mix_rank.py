"""`foresail mix rank`: the order and its reasons, and what is said of a file or an option that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

FILE = """name,usd_per_hour,latency_ms,availability_ratio
near,2.2,20,0.9
far,2.0,80,0.9
scarce,1.8,20,
"""


@pytest.fixture
def places(tmp_path: Path) -> str:
    path = tmp_path / "places.csv"
    path.write_text(FILE)
    return str(path)


def test_the_best_first_with_reasons(places: str) -> None:
    weights = ("--weight", "latency=0.5", "--weight", "availability=1")
    done = run("mix", "rank", places, *weights, "-o", "json")
    assert done.exit_code == 0
    ranked = json.loads(done.stdout)["places"]
    assert [each["name"] for each in ranked] == ["near", "far", "scarce"]
    assert ranked[1]["score"] == pytest.approx(4 / 2.2)  # 2.0 * 80^0.5 over 2.2 * 20^0.5
    assert ranked[2] == {"name": "scarce", "score": None, "why": "ruled out: its availability is not known"}


def test_limits_and_a_table(places: str) -> None:
    done = run("mix", "rank", places, "--max-latency-ms", "50", "--max-usd-per-hour", "2")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["PLACE", "SCORE"],
        ["scarce", "1.000"],
        ["near", "-"],
        ["far", "-"],
    ]
    assert "2.2 USD per hour is above 2" in done.stdout
    assert "80 ms is above 50" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("--weight", "lateness=1"), "not 'lateness' (did you mean latency?)", id="unknown-factor"),
        pytest.param(("--weight", "latency=-1"), "latency: must be a number of at least 0", id="below-zero"),
        pytest.param(("--weight", "latency"), "as in latency=0.5, not ''", id="no-number"),
    ],
)
def test_wrong_weights_are_usage_errors(places: str, arguments: tuple[str, ...], message: str) -> None:
    done = run("mix", "rank", places, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_every_problem_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_text("name,usd_per_hour,availability_ratio\na,0,1.5\na,cheap,1\n,1,1\n")
    done = run("mix", "rank", str(path))
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.replace(f"error: {path}: ", "").splitlines() == [
        "row 1: usd_per_hour: must be above 0, not 0",
        "row 1: availability_ratio: must be from 0 to 1, not 1.5",
        "row 2: name: 'a' is there twice",
        "row 2: usd_per_hour: 'cheap' is not a number; leave what is not known empty",
        "row 3: name: is empty",
    ]


def test_a_file_without_places_or_names_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    path.write_text("name,usd_per_hour\n")
    assert "has no places" in run("mix", "rank", str(path)).stderr
    path.write_text("place,usd_per_hour\na,1\n")
    assert "has no column name; the columns are name, usd_per_hour" in run("mix", "rank", str(path)).stderr
    done = run("mix", "rank", str(tmp_path / "none.csv"))
    assert done.exit_code == 1
    assert "cannot be read as CSV" in done.stderr

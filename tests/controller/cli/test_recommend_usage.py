"""`foresail recommend resources --usage`: its figures, its forms, and what is said of options that are wrong."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    "series",
    "resource",
    "lower",
    "target",
    "upper",
    "slack_ratio",
    "overrun_ratio",
    "excursions_per_week",
    "changes_per_day",
]


@pytest.fixture
def usage(tmp_path: Path) -> str:
    """Eight days of one core every 10 minutes, and of two from the sixth day on."""
    path = tmp_path / "usage.csv"
    rows = [f"web,{600 * n},{1 if n < 6 * 144 else 2}" for n in range(8 * 144)]
    path.write_text("series,timestamp,value\n" + "\n".join(rows))
    return str(path)


def test_an_evaluation(usage: str, tmp_path: Path) -> None:
    out = tmp_path / "requests.parquet"
    options = ("--usage", usage, "--resource", "cpu", "--evaluate", "--requests-out", str(out), "-o", "json")
    done = run("recommend", "resources", *options, "--method", "static")
    assert done.exit_code == 0
    (found,) = json.loads(done.stdout)["containers"]
    assert list(found) == KEYS
    assert (found["series"], found["resource"], found["target"]) == ("web", "cpu", 2.0)
    # Served are days 4 to 8, with a request of 1; the use of the last two is 2.
    assert found["overrun_ratio"] == 0.4
    assert found["slack_ratio"] == 0.0
    assert found["changes_per_day"] == 0.0
    table = pq.read_table(out)
    assert table.column_names == ["series", "timestamp", "request"]
    assert table.column("timestamp").to_pylist() == [600 * n for n in range(3 * 144, 8 * 144)]
    assert set(table.column("request").to_pylist()) == {1.0}


@pytest.mark.parametrize("method", ["vpa", "krr"])
def test_peers_follow_the_use(usage: str, method: str) -> None:
    done = run(
        "recommend", "resources", "--usage", usage, "--resource", "cpu", "--evaluate", "--method", method, "-o", "json"
    )
    (found,) = json.loads(done.stdout)["containers"]
    assert found["target"] >= 2.0
    assert 0.0 < found["overrun_ratio"] < 0.4
    assert found["changes_per_day"] > 0.0


def test_advice_without_an_evaluation(usage: str) -> None:
    done = run("recommend", "resources", "--usage", usage, "--resource", "cpu", "--method", "krr", "-o", "csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["series"], row["current"], row["recommended"]) == ("web", "", "2.0")
    assert row["why"] == "in 1152 samples of 14 days, 95 % of use is at most this"


@pytest.mark.parametrize("form", ["table", "yaml"])
def test_other_forms(usage: str, form: str) -> None:
    done = run("recommend", "resources", "--usage", usage, "--resource", "cpu", "--method", "vpa", "-o", form)
    assert done.exit_code == 0
    assert "8.0 days seen" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("--resource", "cpu", "--method", "kr"), "not 'kr' (did you mean krr?)", id="a-method"),
        pytest.param((), "is required with --usage: cpu or memory", id="no-resource"),
        pytest.param(("--resource", "cpu", "--every", "soon"), "must be a duration", id="an-interval"),
        pytest.param(("--resource", "cpu", "--every", "0s"), "must be above 0", id="an-interval-of-nothing"),
        pytest.param(("--resource", "cpu", "--overrun", "2"), "must be above 0 and up to 1", id="an-overrun"),
        pytest.param(("--resource", "cpu", "--requests-out", "x"), "needs --evaluate", id="requests-of-no-walk"),
    ],
)
def test_options_that_are_wrong(usage: str, options: tuple[str, ...], words: str) -> None:
    done = run("recommend", "resources", "--usage", usage, *options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_a_file_that_is_wrong_and_one_that_is_not_in_bytes(tmp_path: Path, usage: str) -> None:
    done = run("recommend", "resources", "--usage", str(tmp_path / "none.csv"), "--resource", "cpu")
    assert (done.exit_code, "cannot be read" in done.stderr) == (1, True)
    done = run("recommend", "resources", "--usage", usage, "--resource", "memory", "--method", "krr")
    assert (done.exit_code, "memory is read as bytes" in done.stderr) == (0, True)


def test_cpu_in_thousandths_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("series,timestamp,value\na,0,1500\na,600,1500\n")
    done = run("recommend", "resources", "--usage", str(path), "--resource", "cpu", "--method", "static")
    assert "a value is 1500; CPU is read as cores" in done.stderr

"""`foresail mix replay`: its figures, its plan file, and what it says about input that it cannot use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

START = 1_700_000_000


@pytest.fixture
def availability(tmp_path: Path) -> Path:
    """Two pools of a day, a row each 10 min: one closes for an hour at noon, one holds up to 3."""
    at_s = START + 600 * np.arange(145)
    gone = (at_s >= START + 43_200) & (at_s < START + 46_800)
    columns: dict[str, Any] = {
        "trace": ["eu/a"] * 145 + ["eu/b"] * 145,
        "timestamp": np.tile(at_s, 2),
        "value": np.concatenate([np.where(gone, 0, 1), np.full(145, 3)]),
    }
    path = tmp_path / "availability.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _replay(availability: Path, *more: str) -> tuple[int, str, str]:
    pools = ("--pool", "eu/a=0.3", "--pool", "eu/b=0.4")
    done = run("mix", "replay", "--availability", str(availability), *pools, *more)
    return done.exit_code, done.stdout, done.stderr


def test_the_figures_and_the_plan(availability: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.parquet"
    code, text, _ = _replay(availability, "--replicas", "2", "-o", "json", "--plan-out", str(plan))
    assert code == 0
    found = json.loads(text)
    assert 0.3 < found["cost_ratio"] < 1
    assert {"short_ratio", "spot_share", "interruptions", "launches"} <= found.keys()
    table = pq.read_table(plan)
    assert table.column_names == ["timestamp", "pool", "wanted", "ready"]
    assert table.num_rows == 3 * (86_400 // 30 + 1)
    assert table.column("pool").to_pylist()[:3] == ["eu/a", "eu/b", "on-demand"]
    ready = np.array(table.column("ready").to_pylist()).reshape(-1, 3)
    assert (ready[1440:1560, 0] == 0).all()
    assert (ready[:, 1] <= 3).all()


def test_all_on_demand_costs_all(availability: Path) -> None:
    code, text, _ = _replay(availability, "--replicas", "2", "--policy", "on-demand", "-o", "json")
    assert code == 0
    assert json.loads(text)["cost_ratio"] == 1.0


def test_replicas_from_a_load_file_limit_the_time(availability: Path, tmp_path: Path) -> None:
    load = tmp_path / "load.csv"
    load.write_text(f"timestamp,value\n{START + 3600},1.2\n{START + 50_000},4\n{START + 60_000},4\n")
    code, text, _ = _replay(availability, "--replicas", str(load), "--policy", "skyserve", "-o", "json")
    assert code == 0
    assert json.loads(text)["steps"] == (60_000 - 3600) // 30 + 1


def test_the_clairvoyant_is_cheapest_and_the_table_is_readable(availability: Path) -> None:
    code, text, _ = _replay(availability, "--replicas", "2", "--policy", "clairvoyant")
    assert code == 0
    assert "cost over all on-demand" in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(["--pool", "eu/c=0.3"], "there is no trace 'eu/c' (did you mean eu/b?)", id="unknown-trace"),
        pytest.param(["--pool", "eu/c"], "'eu/c' is not TRACE=PRICE", id="no-price"),
        pytest.param(["--pool", "eu/c=-1"], "the price of eu/c must be a number above 0", id="bad-price"),
        pytest.param(["--pool", "eu/a=1"], "pool eu/a is given twice", id="twice"),
        pytest.param(["--startup", "45s"], "must be whole steps of 30 s, not 45 s", id="half-steps"),
        pytest.param(["--startup", "0s"], "must be 1 to 10000 steps", id="no-start-up"),
        pytest.param(["--policy", "best"], "is neither foresail, on-demand nor skyserve", id="unknown-policy"),
        pytest.param(["--objective", "0"], "must be a share above 0 and below 1", id="no-objective"),
        pytest.param(["--on-demand-refused", "1.5"], "must be a share from 0 to 1 or a trace", id="more-than-always"),
        pytest.param(["--on-demand-refused", "eu/z"], "there is no trace 'eu/z'", id="unknown-on-demand"),
        pytest.param(["--warmup", "2d"], "nothing is needed after a warm-up", id="too-long-a-warm-up"),
        pytest.param(["--plan-out", "/nowhere/plan.parquet"], "there is no folder /nowhere", id="no-folder"),
    ],
)
def test_what_cannot_be_used_is_named(availability: Path, more: list[str], words: str) -> None:
    code, _, complaint = _replay(availability, "--replicas", "2", *more)
    assert code in {1, 2}
    assert words in " ".join(complaint.replace("│", " ").split())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param([1.0, -1.0, 1.0], "trace eu/a, row 2: -1 is no number of replicas", id="negative"),
        pytest.param([1.0, 0.5, 1.0], "row 2: 0.5 is no number of replicas", id="half-a-replica"),
    ],
)
def test_a_file_of_bad_values_is_refused(tmp_path: Path, value: list[float], words: str) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"trace": ["eu/a"] * 3, "timestamp": [0, 60, 120], "value": value}), path)
    done = run("mix", "replay", "--availability", str(path), "--pool", "eu/a=0.3", "--replicas", "1")
    assert done.exit_code == 1
    assert words in done.stderr


def test_replicas_of_other_days_are_refused(availability: Path, tmp_path: Path) -> None:
    load = tmp_path / "load.csv"
    load.write_text("timestamp,value\n0,1\n60,1\n")
    code, _, complaint = _replay(availability, "--replicas", str(load))
    assert code == 1
    assert f"holds 0 to 60; the availability is of {START}" in complaint

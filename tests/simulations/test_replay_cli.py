"""The command `replay`: figures on stdout, the rest on stderr, exit codes, and the plan file."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from controller.cli.replay import replay

DAY = 1440
KEYS = [
    "load",
    "policy",
    "startup_s",
    "steps",
    "warmup_steps",
    "cost_replica_hours",
    "clairvoyant_replica_hours",
    "cost_ratio",
    "late_ratio",
    "unserved_ratio",
    "churn_per_day",
    "unavoidable_ratio",
    "wall_s",
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day and an hour of constant load but for its last half hour, at one minute."""
    path = tmp_path_factory.mktemp("load") / "load.parquet"
    value = np.full(DAY + 60, 100.0)
    value[-30:] = 300.0
    pq.write_table(pa.table({"timestamp": pa.array(np.arange(DAY + 60) * 60), "value": pa.array(value)}), path)
    return path


def _run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(replay)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_json_and_plan(load: Path, tmp_path: Path) -> None:
    plan_path = tmp_path / "plan.parquet"
    options = "--policy hpa:0.5 --capacity 100 --sync 30s -o json --startup 60s --metric-delay 30s --step 30s"
    done = _run("--load", str(load), *options.split(), "--serving-limit", "0.8", "--plan-out", str(plan_path))
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    # The first 2880 of 1499 * 2 steps warm up. The load needs 2 replicas, then ceil(300 / 80) = 4 for 58 steps;
    # scored are 118 steps, of which the clairvoyant pays 4 for the last 60.
    assert (report["steps"], report["warmup_steps"]) == (2998, 2880)
    assert report["clairvoyant_replica_hours"] == pytest.approx((58 * 2 + 60 * 4) / 120)
    # The rule asks for 300 / 50 = 6 one step after the rise, ready two steps later: late for 3 of the 58 steps.
    assert report["late_ratio"] == pytest.approx(3 * 300 / (60 * 100 + 58 * 300))
    plan = pq.read_table(plan_path)
    assert plan.column_names == ["timestamp", "demand", "replicas"]
    assert plan.num_rows == 2998
    assert plan.column("replicas").to_pylist() == [2] * 2941 + [6] * 57
    assert plan.column("timestamp").to_pylist()[:2] == [0.0, 30.0]


@pytest.mark.integration
def test_table_and_yaml(load: Path) -> None:
    arguments = ("--load", str(load), "--policy", "hpa:0.5", "--capacity", "100", "--sync", "30s")
    table = _run(*arguments)
    assert table.exit_code == 0
    assert "cost over the clairvoyant's" in table.stdout
    assert list(yaml.safe_load(_run(*arguments, "-o", "yaml").stdout)) == KEYS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param("--policy hpa:70%", "neither predictive nor hpa:TARGET", id="policy"),
        pytest.param("--policy predictive --capacity many", "neither a number above 0", id="capacity"),
        pytest.param("--policy predictive --startup soon", "must be a duration", id="startup"),
        pytest.param("--policy predictive --sync 20s", "must divide the step", id="sync"),
        pytest.param("--policy predictive --serving-limit 1.5", "must be above 0 and up to 1", id="serving-limit"),
        pytest.param("--policy predictive --plan-out absent/plan.parquet", "there is no folder", id="plan-out"),
    ],
)
def test_a_bad_option_is_a_usage_error(load: Path, options: str, words: str) -> None:
    done = _run("--load", str(load), *options.split())
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_a_load_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    done = _run("--load", str(tmp_path / "absent.parquet"), "--policy", "hpa:0.70")
    assert done.exit_code == 1
    assert "absent.parquet: cannot be read: No such file or directory\n" in done.stderr


def test_a_load_that_is_too_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text("timestamp,value\n0,1\n60,2\n120,3\n")
    done = _run("--load", str(path), "--policy", "hpa:0.70")
    assert done.exit_code == 1
    assert "load.csv: holds 2m of load; more than 1d is needed" in done.stderr

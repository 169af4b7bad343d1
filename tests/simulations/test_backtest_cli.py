"""The command `backtest`: its JSON and plan files, its options, and how it ends when something is wrong."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from controller.cli.backtest import backtest

DAY = 1440
STABLE_KEYS = [
    "trace",
    "policy",
    "startup_s",
    "cost_replica_hours",
    "clairvoyant_replica_hours",
    "cost_ratio",
    "late_ratio",
    "unserved_ratio",
    "churn_per_day",
    "wall_s",
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day and an hour of constant load but for its last half hour, at one minute."""
    value = np.full(DAY + 60, 100.0)
    value[-30:] = 300.0
    return _written(tmp_path_factory.mktemp("load") / "load.parquet", value)


def _written(path: Path, value: np.ndarray) -> Path:
    pq.write_table(pa.table({"timestamp": pa.array(np.arange(value.size) * 60), "value": pa.array(value)}), path)
    return path


def _run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(backtest)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _runs(done: Result) -> list[dict[str, object]]:
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["runs"]
    return list(document["runs"])


def test_json_and_plans(load: Path, tmp_path: Path) -> None:
    options = "--policy hpa:0.50 --capacity 100 --sync 30s -o json --startup 60s --metric-delay 30s --step 30s"
    folder = tmp_path / "new" / "plans"
    done = _run("--load", str(load), *options.split(), "--serving-limit", "0.8", "--plan-out", str(folder))
    (run,) = _runs(done)
    assert list(run)[: len(STABLE_KEYS)] == STABLE_KEYS
    # As in the test of `replay`: 2 replicas suffice for 60 steps, then 4 for 58; the rule asks for 6 a step late.
    assert (run["trace"], run["policy"], run["startup_s"]) == ("load", "hpa:0.50", 60.0)
    assert run["clairvoyant_replica_hours"] == pytest.approx((58 * 2 + 60 * 4) / 120)
    assert run["cost_replica_hours"] == pytest.approx((61 * 2 + 57 * 6) / 120)
    assert run["late_ratio"] == pytest.approx(3 * 300 / (60 * 100 + 58 * 300))
    assert run["late_ratio_95"] is None  # there are no three days
    plan = pq.read_table(folder / "load.hpa:0.50.60s.parquet")
    assert plan.column_names == ["timestamp", "demand", "replicas"]
    assert plan.column("replicas").to_pylist() == [2] * 2941 + [6] * 57
    assert plan.column("timestamp").to_pylist()[:2] == [0.0, 30.0]
    assert plan.column("demand").to_pylist()[-1] == 300.0


def test_policies_start_ups_and_loads_side_by_side(load: Path, tmp_path: Path) -> None:
    other = _written(tmp_path / "other.parquet", np.full(5 * DAY, 100.0))
    named = (
        "--load",
        str(load),
        "--load",
        str(other),
        "--policy",
        "kpa",
        "--policy",
        "hpa:0.70,tolerance=0,window=60s",
    )
    done = _run(*named, "--startup", "60s", "--startup", "5m", "-o", "json", "--plan-out", str(tmp_path))
    runs = _runs(done)
    told = [(run["trace"], run["policy"], run["startup_s"]) for run in runs]
    policies = ("kpa", "hpa:0.70,tolerance=0,window=60s")
    assert told == [(trace, each, s) for trace in ("load", "other") for each in policies for s in (60.0, 300.0)]
    files = {f"{trace}.{each}.{s}.parquet" for trace in ("load", "other") for each in policies for s in ("60s", "300s")}
    assert files < {path.name for path in tmp_path.iterdir()}
    # 100 of a capacity of 100 / 40 / 0.8 = 3.125 at 70 %: 45.7, so 46 of the 40 that are needed.
    assert runs[-1]["cost_ratio"] == 46 / 40
    assert runs[-1]["late_ratio_95"] == [0.0, 0.0]
    assert runs[-1]["cost_ratio_95"] == [46 / 40, 46 / 40]


def test_warm_up_bounds_and_dwell(load: Path) -> None:
    options = (
        "--policy hpa:0.5 --capacity 100 --sync 30s -o json --startup 60s --warmup 24h30m --min 3 --max 5 --dwell 5m"
    )
    (run,) = _runs(_run("--load", str(load), *options.split()))
    assert (run["steps"], run["warmup_steps"]) == (2998, 2940)
    # All of the 58 steps are at 300: one at 3 and 57 at 5, of which 4 would do.
    assert run["cost_replica_hours"] == pytest.approx((3 + 57 * 5) / 120)
    assert run["clairvoyant_replica_hours"] == pytest.approx(58 * 4 / 120)
    assert run["unavoidable_ratio"] == 0.0


def test_missing_load_is_told_and_not_taken_for_nothing(tmp_path: Path) -> None:
    value = np.full(DAY + 60, 100.0)
    value[-30:] = np.nan
    value[-1] = 100.0
    load = _written(tmp_path / "gappy.parquet", value)
    (run,) = _runs(_run("--load", str(load), "--policy", "hpa:0.5", "--capacity", "100", "-o", "json"))
    assert run["unknown_ratio"] == pytest.approx(58 / 118)  # 29 minutes; the last sample only ends the load
    assert run["cost_replica_hours"] == pytest.approx(118 * 2 / 120)


@pytest.mark.parametrize("policy", ["reactive", "predictive"])
def test_foresail_takes_part(policy: str, tmp_path: Path) -> None:
    load = _written(tmp_path / "short.parquet", np.linspace(100.0, 300.0, 60))
    options = "--step 30s --sync 30s --metric-delay 60s --warmup 10m --objective 0.001 -o json"
    (run,) = _runs(_run("--load", str(load), "--policy", policy, *options.split()))
    assert run["policy"] == policy
    assert run["steps"] == 118


def test_a_pace_that_only_decide_keeps_is_refused(load: Path) -> None:
    done = _run("--load", str(load), "--policy", "reactive", "--step", "60s")
    assert done.exit_code == 1
    assert "policy reactive decides every 30 s" in done.stderr


def test_table_and_yaml(load: Path) -> None:
    arguments = ("--load", str(load), "--policy", "hpa:0.5", "--capacity", "100")
    table = _run(*arguments)
    assert table.exit_code == 0
    assert "over clairvoyant" in table.stdout
    assert "hpa:0.5" in table.stdout
    (run,) = yaml.safe_load(_run(*arguments, "-o", "yaml").stdout)["runs"]
    assert list(run)[: len(STABLE_KEYS)] == STABLE_KEYS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param("--policy hpa:70%", "is neither predictive, reactive", id="policy"),
        pytest.param("--policy kpa --capacity many", "neither a number above 0", id="capacity"),
        pytest.param("--policy kpa --startup soon", "must be a duration", id="startup"),
        pytest.param("--policy kpa --sync 20s", "must divide the step", id="sync"),
        pytest.param("--policy kpa --serving-limit 1.5", "must be above 0 and up to 1", id="serving-limit"),
        pytest.param("--policy kpa --objective 0.7", "must be above 0 and up to 0.5, not 0.7", id="objective"),
        pytest.param("--policy kpa --warmup long", "must be a duration", id="warmup"),
        pytest.param("--policy kpa --min 0", "greater than or equal to 1", id="min"),
        pytest.param("--policy kpa --min 5 --max 3", "--max (3) is below --min (5)", id="max"),
        pytest.param("--policy kpa --load folder/load.parquet", "have the same name", id="two-loads-of-one-name"),
    ],
)
def test_a_bad_option_is_a_usage_error(load: Path, options: str, words: str) -> None:
    done = _run("--load", str(load), *options.split())
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "load.csv: cannot be read: No such file or directory", id="absent"),
        pytest.param("timestamp,value\n0,1\n60,2\n", "load.csv: holds 1m of load; more than 1d is needed", id="short"),
        pytest.param("timestamp,value\n0,0\n90000,0\n", "load.csv: the load's 99.9th percentile is 0", id="empty"),
    ],
)
def test_a_load_that_cannot_be_used_is_an_error(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "load.csv"
    if text is not None:
        path.write_text(text)
    done = _run("--load", str(path), "--policy", "kpa")
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stdout == ""

"""`foresail forecast evaluate`: its documents, its file of forecasts, and what is said of wrong options."""

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

DAY = 1440


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day and six hours of a wave with a little noise, at one minute."""
    path = tmp_path_factory.mktemp("load") / "web.parquet"
    minute = np.arange(DAY + 360)
    value = 100 - 50 * np.cos(2 * np.pi * minute / DAY) + np.random.default_rng(1).normal(0, 2, minute.size)
    pq.write_table(pa.table({"timestamp": pa.array(minute * 60), "value": pa.array(value)}), path)
    return path


def test_figures_as_json_and_forecasts_as_parquet(load: Path, tmp_path: Path) -> None:
    done = run(
        *("forecast", "evaluate", "--load", str(load), "--horizons", "1m,15m", "--origin-every", "30m"),
        *("--quantiles", "0.9,0.99", "-o", "json", "--forecasts-out", str(tmp_path)),
    )
    assert (done.exit_code, done.stderr) == (0, "")
    results = json.loads(done.stdout)["results"]
    assert [(each["model"], each["horizon_s"]) for each in results] == [
        (model, horizon) for model in ("foresail", "ridge", "seasonal_naive", "last_value") for horizon in (60, 900)
    ]
    first = results[0]
    assert (first["series"], first["forecasts"], list(first["pinball"])) == ("web", 12, ["0.9", "0.99"])
    assert first["wape"] < 0.05
    assert first["fit_s"] > 0
    table = pq.read_table(tmp_path / "web.parquet")
    assert table.column_names == ["origin", "horizon_s", "quantile", "value", "model"]
    assert table.num_rows == 4 * 12 * 2 * 2
    assert set(table["quantile"].to_pylist()) == {0.9, 0.99}
    assert table["origin"].to_numpy().min() == 86_400


def test_a_table_has_a_line_for_each_model_and_horizon(load: Path) -> None:
    done = run(
        "forecast", "evaluate", "--load", str(load), "--horizons", "1h", "--origin-every", "1h", "--warmup", "12h"
    )
    lines = done.stdout.splitlines()

    assert (done.exit_code, len(lines)) == (0, 5)
    assert lines[1].split()[:4] == ["web", "foresail", "1h", "17"]  # of 18, one ends behind the load


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--horizons", "90s"), "must be whole minutes, at least 1m, not '90s'"),
        (("--horizons", "8d"), "must be from 1m to 7d, not '8d'"),
        (("--quantiles", "0.5,high"), "must be numbers with commas between, not 'high'"),
        (("--quantiles", "1"), "must be from 0.01 to 0.999, not 1"),
        (("--quantiles", "0.5,0.5"), "must name each level once, not '0.5,0.5'"),
        (("--forecasts-out", "/no/such"), "there is no folder /no/such"),
    ],
    ids=["seconds", "too-far", "words", "certainty", "twice", "no-folder"],
)
def test_wrong_options(load: Path, arguments: tuple[str, str], message: str) -> None:
    done = run("forecast", "evaluate", "--load", str(load), *arguments)

    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_two_files_of_one_name(load: Path) -> None:
    done = run("forecast", "evaluate", "--load", str(load), "--load", str(load))

    assert done.exit_code == 2
    assert "two files have the same name" in done.stderr


def test_a_load_that_ends_too_soon(load: Path) -> None:
    done = run("forecast", "evaluate", "--load", str(load), "--warmup", "2d")

    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {load}: the load ends within its warm-up of 2880 minutes")

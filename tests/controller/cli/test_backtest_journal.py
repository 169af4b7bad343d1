"""`foresail backtest --journal`: what the daemon recorded is decided again, compared, and put beside other policies."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from controller.cli.exits import INVALID
from tests.controller.cli.shared import run
from tests.controller.recorded import API, TICKS, WEB, Left, journal_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return journal_of(tmp_path_factory.mktemp("journal") / "foresail.db")


@pytest.fixture
def own(left: Left, tmp_path: Path) -> Left:
    """A copy that may be tampered with."""
    return Left(shutil.copy(left.file, tmp_path / "foresail.db"))


def _found(left: Left, *options: str, code: int = 0) -> dict[str, Any]:
    policies = () if "--policy" in options else ("--policy", "predictive")
    done = run("backtest", "--journal", str(left.file), *policies, "-o", "json", *options)
    assert done.exit_code == code, done.stderr
    return dict(json.loads(done.stdout))


def _changed(left: Left, statement: str, *values: object) -> int:
    with closing(sqlite3.connect(left.file)) as database, database:
        return database.execute(statement, values).rowcount


def test_every_decision_is_made_again(left: Left) -> None:
    found = _found(left)["journal"]
    assert found["equal"] is True
    assert found["snapshot"] is None
    assert (found["ticks"], found["equal_ticks"]) == (TICKS, TICKS)
    assert (found["workloads"], found["equal_workloads"]) == (2, 2)
    assert found["decisions"] == 2 * TICKS
    assert found["equal_targets"] == found["equal_actions"] == found["equal_reasons"] == 2 * TICKS
    assert 10 < found["recorded"] == found["equal_recorded"] < 2 * TICKS
    assert found["whole_ticks"] >= 3  # the first, after the restart, with the new policies
    assert (found["differing"], found["differences"]) == (0, [])

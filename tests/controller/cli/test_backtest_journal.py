"""`foresail backtest --journal`: what the daemon recorded is decided again, compared, and put beside other policies."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.cli.exits import INVALID
from tests.controller.cli.shared import run
from tests.controller.recorded import API, TICKS, WEB, Left, journal_of


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return journal_of(tmp_path_factory.mktemp("journal") / "foresail.db")


@pytest.fixture
def own(left: Left, tmp_path: Path) -> Left:
    """A copy that may be tampered with."""
    return Left(Path(shutil.copy(left.file, tmp_path / "foresail.db")))


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
    assert found["whole_ticks"] in (3, 4)  # the first, with new policies, and after restarts unless all was news
    assert found["snapshots"] == found["equal_snapshots"] >= 3  # one after each start, one after the jump of the clock
    assert (found["unobserved"], found["differing"], found["differences"]) == (0, 0, [])


def test_a_declared_event_is_decided_again(left: Left) -> None:
    """The rule speaks in the journal, and every decision that it is in was made again."""
    with closing(sqlite3.connect(left.file)) as database:
        rows = database.execute("SELECT uid, at_s FROM decisions WHERE steps LIKE '%announced_event%'").fetchall()

    assert {uid for uid, _ in rows} == {API}
    assert all(1_700_000_400 - 300 <= at_s < 1_700_000_400 + 600 for _, at_s in rows)


def test_it_begins_with_the_snapshot_before(left: Left) -> None:
    """The daemon began at 22:13:20 and again 25 ticks later, at 22:19:35, and then saved what it remembered."""
    found = _found(left, "--since", "2023-11-14T22:20:00Z", "--until", "2023-11-14T22:21:30Z")["journal"]
    assert found["equal"] is True
    assert found["snapshot"] == "2023-11-14T22:19:35Z"
    assert (found["since"], found["until"]) == ("2023-11-14T22:20:05Z", "2023-11-14T22:21:20Z")
    assert (found["ticks"], found["decisions"]) == (6, 12)


def test_what_was_remembered_of_the_time_before_warms_up(left: Left) -> None:
    """The daemon began at 22:13:20, so of 22:20:05 it remembers the minutes from 22:13 on: 14 steps."""
    (run_,) = _found(left, "--since", "2023-11-14T22:20:00Z", "--workload", WEB)["runs"]
    assert run_["warmup_steps"] in (13, 14, 15)
    assert run_["steps"] > run_["warmup_steps"] + 10


def test_one_workload_is_decided_in_its_fleet(left: Left) -> None:
    found = _found(left, "--workload", WEB)
    assert (found["journal"]["workloads"], found["journal"]["decisions"]) == (1, TICKS)
    assert found["journal"]["equal"] is True
    assert {each["trace"] for each in found["runs"]} == {WEB}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("target", 49, id="target"),
        pytest.param("action", "hold", id="action"),
        pytest.param("reason", "fleet_breaker", id="reason"),
        pytest.param("before", 49, id="before"),
        pytest.param("mode", "shadow", id="mode"),
        pytest.param("steps", "[]", id="steps"),
    ],
)
def test_a_decision_that_was_tampered_with_is_found(own: Left, column: str, value: object) -> None:
    at_s = _a_rise(own)
    statement = f"UPDATE decisions SET {column} = ? WHERE uid = ? AND at_s = ?"  # noqa: S608 - of the list above
    assert _changed(own, statement, value, WEB, at_s) == 1
    found = _found(own, code=INVALID)["journal"]
    assert found["equal"] is False
    assert found["equal_workloads"] == 1
    first = found["differences"][0]
    assert (first["timestamp"], first["workload"], first["fields"]) == (at_s, WEB, [column])
    assert str(value).strip("[]") in first["recorded"]
    assert first["recorded"] != first["decided"]
    assert found["equal_ticks"] == TICKS - found["differing"]
    assert found["equal_recorded"] >= found["recorded"] - found["differing"]


def test_a_decision_that_was_removed_is_found(own: Left) -> None:
    at_s = _a_rise(own)
    assert _changed(own, "DELETE FROM decisions WHERE uid = ? AND at_s = ?", WEB, at_s) == 1
    found = _found(own, code=INVALID)["journal"]
    first = found["differences"][0]
    assert (first["timestamp"], first["workload"], first["fields"]) == (at_s, WEB, ["not recorded"])
    assert found["equal_targets"] < found["decisions"]


def test_a_decision_that_nobody_would_have_recorded_is_found(own: Left) -> None:
    """A copy of one that stood: the same target, action and reason at a tick that told nothing new of it."""
    quiet_s, row = _a_quiet_tick(own)
    assert _changed(own, "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row) == 1
    found = _found(own, code=INVALID)["journal"]
    (first,) = found["differences"]
    assert (first["timestamp"], first["workload"]) == (quiet_s, API)
    assert "recorded without need" in first["fields"]


def test_an_observation_that_was_given_up_is_told(own: Left) -> None:
    at_s = _a_rise(own)
    assert _changed(own, "DELETE FROM ticks WHERE at_s = ?", at_s) == 1
    found = _found(own, code=INVALID)["journal"]
    assert found["unobserved"] >= 1
    assert found["ticks"] == TICKS - 1
    assert ["no observation"] in [each["fields"] for each in found["differences"]]


def test_a_journal_without_its_beginning_begins_with_its_first_snapshot(own: Left) -> None:
    """As after pruning: the first tick left is of the middle of a daemon's life."""
    assert _changed(own, "DELETE FROM snapshots WHERE at_s = (SELECT min(at_s) FROM snapshots)") == 1
    assert _changed(own, "DELETE FROM ticks WHERE at_s < 1700000000 + 300") == 20
    found = _found(own)["journal"]
    assert found["equal"] is True
    assert found["snapshot"] is not None
    assert found["ticks"] < TICKS - 20


def test_policies_stand_side_by_side_on_the_recorded_load(left: Left, tmp_path: Path) -> None:
    options = [each for text in ("predictive", "hpa:0.70", "kpa", "reactive") for each in ("--policy", text)]
    found = _found(left, *options, "--startup", "60s", "--plan-out", str(tmp_path), "--workload", API)
    assert [each["policy"] for each in found["runs"]] == ["predictive", "hpa:0.70", "kpa", "reactive"]
    for run_ in found["runs"]:
        assert (run_["trace"], run_["startup_s"]) == (API, 60.0)
        assert run_["capacity"] == pytest.approx(1.25)
        assert 0.1 < run_["unknown_ratio"] < 0.5  # the hole, the time without a policy, the jump of the clock
        assert run_["cost_replica_hours"] > 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"shop.api.{policy}.60s.parquet" for policy in options[1::2]}


def test_workloads_decided_together_have_the_plans_that_they_have_alone(left: Left) -> None:
    policies = ("--policy", "predictive", "--policy", "hpa:0.70", "--policy", "kpa")
    together = [run_ | {"wall_s": 0} for run_ in _found(left, *policies)["runs"]]
    alone = [run_ | {"wall_s": 0} for uid in (API, WEB) for run_ in _found(left, *policies, "--workload", uid)["runs"]]
    assert together == alone


def test_without_predictive_nothing_is_compared(own: Left) -> None:
    assert _changed(own, "DELETE FROM decisions") > 0
    found = _found(own, "--policy", "hpa:0.70")
    assert list(found) == ["runs"]


def test_the_table_says_it_in_words(left: Left, own: Left) -> None:
    done = run("backtest", "--journal", left.url, "--policy", "predictive")
    assert done.exit_code == 0
    assert f"{TICKS} ticks of 2 workloads" in done.stdout
    assert "every decision is the one that the daemon made" in done.stdout
    _changed(own, "UPDATE decisions SET target = target + 1 WHERE uid = ?", WEB)
    done = run("backtest", "--journal", str(own.file), "--policy", "predictive")
    assert done.exit_code == INVALID
    assert "differ; the first:" in done.stdout
    assert "every decision" not in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param("--load load.csv", 2, "give one of --load (files), --journal", id="both"),
        pytest.param("--capacity 100", 2, "goes with --load, not with --journal", id="capacity"),
        pytest.param("--min 2", 2, "goes with --load, not with --journal", id="bounds"),
        pytest.param("--days 3", 2, "goes with --policies, not with --journal", id="days"),
        pytest.param("--prometheus-url http://x", 2, "goes with --policies, not with --journal", id="url"),
        pytest.param("--workload web", 2, "must be NAMESPACE/NAME, not 'web'", id="workload"),
        pytest.param("--since soon", 2, "must be a time such as", id="since"),
        pytest.param("--since 2023-11-14T23:00Z --until 2023-11-14T22:00Z", 2, "is after --until", id="order"),
        pytest.param("--since 2024-01-01", 1, "no tick is recorded since 2024-01-01T00:00:00Z", id="too-late"),
        pytest.param("--until 2020-01-01", 1, "no tick is recorded until 2020-01-01T00:00:00Z", id="too-early"),
        pytest.param("--workload shop/nobody", 1, "shop/nobody was not there then; there were shop/api", id="nobody"),
    ],
)
def test_what_cannot_be_is_said(left: Left, options: str, code: int, words: str) -> None:
    done = run("backtest", "--journal", str(left.file), "--policy", "predictive", *options.split())
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_without_a_source_or_with_options_of_the_other_it_is_a_usage_error() -> None:
    assert run("backtest", "--policy", "kpa").exit_code == 2
    done = run("backtest", "--policy", "kpa", "--load", "x.csv", "--workload", WEB)
    assert done.exit_code == 2
    assert "goes with --journal and --policies, not with --load" in " ".join(done.stderr.replace("│", " ").split())


def test_a_damaged_journal_is_an_error(own: Left) -> None:
    assert _changed(own, "UPDATE ticks SET observation = ? WHERE at_s = (SELECT max(at_s) FROM ticks)", b"none") == 1
    done = run("backtest", "--journal", str(own.file), "--policy", "predictive")
    assert done.exit_code == 1
    assert "the journal cannot be decided again" in done.stderr


def _a_rise(left: Left) -> float:
    """The tick of the flash crowd's first rise of web."""
    with closing(sqlite3.connect(left.file)) as database:
        found = database.execute(
            "SELECT at_s FROM decisions WHERE uid = ? AND action = 'raise' AND at_s > 1700000100 ORDER BY at_s", (WEB,)
        ).fetchone()
    return float(found[0])


def _a_quiet_tick(left: Left) -> tuple[float, tuple[object, ...]]:
    """A tick that recorded nothing, and the last row of api before it as if of that tick."""
    with closing(sqlite3.connect(left.file)) as database:
        (at_s,) = database.execute(
            "SELECT min(at_s) FROM ticks WHERE at_s NOT IN (SELECT at_s FROM decisions)"
        ).fetchone()
        uid, _, *rest = database.execute(
            "SELECT * FROM decisions WHERE uid = ? AND at_s < ? ORDER BY at_s DESC", (API, at_s)
        ).fetchone()
    return at_s, (uid, at_s, *rest)

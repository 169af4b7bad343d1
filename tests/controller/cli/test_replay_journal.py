"""`foresail journal export` and `foresail replay --journal`: a part of a journal, decided again on another machine."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controller.cli.exits import INVALID
from policies.packing import pack
from policies.snapshot import observation_from
from tests.controller.cli.shared import run
from tests.controller.recorded import TICKS, WEB, Left, journal_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.model import Observation

SECRET = "hunter2-and-more"
PART = ("--since", "2023-11-14T22:20:00Z", "--until", "2023-11-14T22:21:30Z")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return journal_of(tmp_path_factory.mktemp("journal") / "foresail.db")


@pytest.fixture
def own(left: Left, tmp_path: Path) -> Left:
    """A copy that may be tampered with."""
    return Left(Path(shutil.copy(left.file, tmp_path / "foresail.db")))


def _exported(left: Left, out: Path, *options: str, **environment: str) -> dict[str, Any]:
    place = ("--journal", str(left.file), "--out", str(out))
    done = run("journal", "export", *place, "-o", "json", *options, **environment)
    assert done.exit_code == 0, done.stderr
    return dict(json.loads(done.stdout))


def _replayed(file: Path, *options: str, code: int = 0) -> dict[str, Any]:
    done = run("replay", "--journal", str(file), "-o", "json", *options)
    assert done.exit_code == code, done.stderr + done.stdout
    return dict(json.loads(done.stdout))


def _changed(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement, values).rowcount > 0


def test_what_was_exported_is_decided_again_as_the_journal_is(left: Left, tmp_path: Path) -> None:
    told = _exported(left, out := tmp_path / "all.db")
    assert (told["kind"], told["begins"], told["rows"]["ticks"]) == ("JournalExport", None, TICKS)
    found, here = _replayed(out), _replayed(left.file)
    assert found["equal"] is True
    assert found["ticks"] == found["equal_ticks"] == TICKS
    assert found["equal_targets"] == found["equal_actions"] == found["equal_reasons"] == found["decisions"] == 2 * TICKS
    assert found["snapshots"] == found["equal_snapshots"] >= 3
    assert found | {"wall_s": 0} == here | {"wall_s": 0}


def test_a_part_begins_with_the_state_saved_before_it(left: Left, tmp_path: Path) -> None:
    """The daemon saved its state at 22:19:35 and decided every 15 s."""
    told = _exported(left, out := tmp_path / "part.db", *PART)
    assert told["begins"] == "2023-11-14T22:19:35Z"
    assert (told["since"], told["until"]) == ("2023-11-14T22:19:50Z", "2023-11-14T22:21:20Z")
    assert (told["rows"]["ticks"], told["rows"]["snapshots"], told["rows"]["fleets"]) == (7, 1, 1)
    found = _replayed(out)
    assert found["equal"] is True
    assert (found["snapshot"], found["ticks"], found["decisions"]) == ("2023-11-14T22:19:35Z", 7, 14)
    moment = ("explain", WEB, "--at", "2023-11-14T22:20:30Z", "--journal")
    told_there, told_here = (run(*moment, str(file)).stdout.partition("  Then: ")[0] for file in (left.file, out))
    assert told_here == told_there != ""


def test_the_file_stands_alone(left: Left, tmp_path: Path) -> None:
    _exported(left, out := tmp_path / "incident.db", *PART)
    assert [path.name for path in tmp_path.iterdir()] == ["incident.db"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    _replayed(out)
    assert [path.name for path in tmp_path.iterdir()] == ["incident.db"]  # a reader leaves nothing beside it
    with closing(sqlite3.connect(out)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_what_people_told_and_what_was_done_is_in_it(left: Left, tmp_path: Path) -> None:
    _exported(left, out := tmp_path / "part.db")
    for table in ("intents", "outcomes", "decisions", "history_blocks", "snapshot_blocks"):
        with closing(sqlite3.connect(left.file)) as one, closing(sqlite3.connect(out)) as other:
            rows = f"SELECT count(*) FROM {table}"  # noqa: S608 - of the list above
            assert one.execute(rows).fetchone() == other.execute(rows).fetchone(), table


def test_secrets_are_taken_out_and_the_rest_stays_readable(own: Left, tmp_path: Path) -> None:
    label = f"metadata:\\n  labels:\\n    db-password: {SECRET}x\\n"
    _changed(own.file, "UPDATE fleets SET policies = replace(policies, 'metadata:\\n', ?)", label)
    _changed(own.file, "UPDATE outcomes SET message = ?", f"401 for Bearer {SECRET}")
    told = ("1", 1_700_000_000.0, WEB, "resume", None, 1_700_000_000.0, "anna", f"as told: {SECRET}")
    _changed(own.file, "INSERT INTO interventions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *told)
    _exported(own, out := tmp_path / "out.db", MY_TOKEN=SECRET)
    with closing(sqlite3.connect(out)) as database:
        assert database.execute("SELECT who, reason FROM interventions").fetchall() == [("anna", "as told: ***")]
        assert {row[0] for row in database.execute("SELECT message FROM outcomes")} == {"401 for Bearer ***"}
        assert 'db-password: "***x"' in json.loads(database.execute("SELECT policies FROM fleets").fetchone()[0])[WEB]
    assert SECRET.encode() not in out.read_bytes()
    done = run("explain", WEB, "--at", "2023-11-14T22:16:00Z", "--journal", str(out))
    assert done.exit_code == 0, done.stderr
    assert _replayed(out)["equal"] is True


def test_a_secret_that_cannot_be_taken_out_leaves_no_file(left: Left, tmp_path: Path) -> None:
    out = tmp_path / "out.db"
    done = run("journal", "export", "--journal", str(left.file), "--out", str(out), MY_TOKEN=WEB)
    assert done.exit_code == 1
    assert "a secret of this Foresail would be in the file" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_tampered_observation_is_found_and_named(own: Left, tmp_path: Path) -> None:
    """The flash crowd of 180 is made 18: its first decision differs, and the rule and the reading are told."""
    _exported(own, out := tmp_path / "out.db")
    at_s = _tampered(out, lambda seen: seen.readings.value_milli.max() == 180_000, of=10)
    found = _replayed(out, code=INVALID)
    first = found["differences"][0]
    assert found["equal"] is False
    assert (first["timestamp"], first["workload"], first["rule"]) == (at_s, WEB, "signals")
    assert first["read"] == ["Signal load is 18, 1 s old (fresh); it asks for 3."]
    assert "signals" in first["recorded"]
    done = run("replay", "--journal", str(out))
    assert done.exit_code == INVALID
    assert "they part at the rule signals; what it had to go by:\n        Signal load is 18, 1 s old" in done.stdout


def test_a_tampered_observation_that_changes_no_decision_is_found_in_the_state(own: Left) -> None:
    _tampered(own.file, lambda seen: seen.now_s == 1_700_000_015.0, of=1.001)
    found = _replayed(own.file, code=INVALID)
    assert (found["differing"], found["equal"]) == (0, False)
    assert found["equal_snapshots"] < found["snapshots"]
    assert found["unequal_snapshot"] == "2023-11-14T22:19:35Z"
    done = run("replay", "--journal", str(own.file))
    assert "the state after 2023-11-14T22:19:35Z is not the one that was saved" in done.stdout


def _tampered(file: Path, wanted: Callable[[Observation], bool], *, of: float) -> float:
    """Divide what was read of web in the first observation that is wanted; when that was."""
    with closing(sqlite3.connect(file)) as database, database:
        for at_s, packed in database.execute("SELECT at_s, observation FROM ticks ORDER BY at_s").fetchall():
            seen = observation_from(packed)
            if wanted(seen):
                values = seen.readings.value_milli.copy()
                values[-1] = round(values[-1] / of)  # api, web
                other = replace(seen, readings=replace(seen.readings, value_milli=values))
                database.execute("UPDATE ticks SET observation = ? WHERE at_s = ?", (pack(other), at_s))
                return float(at_s)
    raise AssertionError("there is no such tick")


def test_another_version_is_said(own: Left) -> None:
    _changed(own.file, "UPDATE fleets SET version = '0.0.9'")
    assert _replayed(own.file)["versions"] == ["0.0.9"]
    assert "Foresail 0.0.9 decided then; this is 0." in run("replay", "--journal", str(own.file)).stdout


def test_an_older_journal_that_does_not_say_its_version(own: Left) -> None:
    _changed(own.file, "UPDATE fleets SET version = ''")
    assert _replayed(own.file)["versions"] == []


@pytest.mark.parametrize(
    ("share", "words"),
    [
        pytest.param(0.5, "database disk image is malformed", id="half"),
        pytest.param(0.99, "database disk image is malformed", id="its end"),
        pytest.param(0.0, "the journal has schema none", id="all"),
    ],
)
def test_a_file_that_was_cut_off(left: Left, tmp_path: Path, share: float, words: str) -> None:
    _exported(left, out := tmp_path / "out.db")
    os.truncate(out, int(out.stat().st_size * share))
    done = run("replay", "--journal", str(out))
    assert (done.exit_code, done.stdout) == (1, "")
    assert words in done.stderr


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    (file := tmp_path / "notes.txt").write_text("they went up at ten\n" * 100)
    done = run("replay", "--journal", str(file))
    assert done.exit_code == 1
    assert "file is not a database" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param("--since 2024-01-01", 1, "no tick is recorded in this time", id="too late"),
        pytest.param("--until 2020-01-01", 1, "no tick is recorded in this time", id="too early"),
        pytest.param("--since 2023-11-14T23:00Z --until 2023-11-14T22:00Z", 2, "is after --until", id="order"),
        pytest.param("--out absent/out.db", 2, "there is no folder", id="folder"),
    ],
)
def test_what_cannot_be_exported(left: Left, tmp_path: Path, options: str, code: int, words: str) -> None:
    place = () if "--out" in options else ("--out", str(tmp_path / "out.db"))
    done = run("journal", "export", "--journal", str(left.file), *place, *options.split())
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten(left: Left) -> None:
    done = run("journal", "export", "--journal", str(left.file), "--out", str(left.file))
    assert done.exit_code == 2
    assert "is there already" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param("", "give one of --load (files) and --journal (a daemon's)", id="neither"),
        pytest.param("--journal x.db --load x.csv", "give one of --load (files) and --journal", id="both"),
        pytest.param("--journal x.db --policy predictive", "goes with --load, not with --journal", id="policy"),
        pytest.param("--journal x.db --sync 15s", "goes with --load, not with --journal", id="a default"),
        pytest.param("--load x.csv --policy predictive --since -2h", "goes with --journal, not", id="since"),
        pytest.param("--load x.csv", "is needed with --load", id="no policy"),
        pytest.param("--journal x.db --workload web", "must be NAMESPACE/NAME, not 'web'", id="workload"),
    ],
)
def test_one_source_with_its_own_options(options: str, words: str) -> None:
    done = run("replay", *options.split())
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())

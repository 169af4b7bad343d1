"""`foresail history import`: what is asked for, what is printed, and when data counts as partial."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from controller.adapters.history_import import HistoryQuery, ImportReport
from controller.errors import Rejected
from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

    from controller.clients.http import HttpAccess


@dataclass
class Importer:
    """Stands in for the adapter: keeps what it was asked, and reports or raises what it was given."""

    covered_ratio: float = 1.0
    error: Exception | None = None
    asked: list[tuple[HttpAccess, HistoryQuery]] = field(default_factory=list)

    def __call__(self, access: HttpAccess, query: HistoryQuery, path: Path) -> ImportReport:
        self.asked.append((access, query))
        if self.error is not None:
            raise self.error
        return ImportReport(path, 2, 2880, self.covered_ratio, query.start_s, query.end_s, 1)


@pytest.fixture
def importer(monkeypatch: pytest.MonkeyPatch) -> Importer:
    importer = Importer()
    monkeypatch.setattr("controller.adapters.history_import.import_history", importer)
    return importer


SPAN = ("--start", "2026-03-01T00:00:00Z", "--end", "2026-03-02T00:00:00Z")


def test_a_span_with_credentials(importer: Importer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    access_flags = ("--prometheus-url", "https://prom.example/", "--prometheus-bearer-token-file", str(token))
    done = run("history", "import", "--query", "sum(r)", "--out", "load.parquet", "--step", "5m", *SPAN, *access_flags)
    assert (done.exit_code, done.stderr) == (0, "")
    ((access, query),) = importer.asked
    assert query == HistoryQuery("sum(r)", 1_772_323_200, 1_772_409_600, 300)
    assert (access.url, access.bearer_file, access.timeout_s) == ("https://prom.example", token, 60.0)
    assert done.stdout.splitlines()[1].split() == [
        *("2", "2880", "100.0%", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "1", "load.parquet")
    ]


def test_days_back_from_now_as_json(importer: Importer) -> None:
    done = run("history", "import", "--query", "r", "--out", "load.parquet", "--days", "2", "-o", "json")
    document = json.loads(done.stdout)
    assert (document["kind"], document["series"], document["coveredRatio"]) == ("HistoryImport", 2, 1.0)
    ((_, query),) = importer.asked
    assert (query.end_s - query.start_s, query.step_s) == (2 * 86_400, 60)


def test_a_timeout_that_was_set_is_kept(importer: Importer) -> None:
    arguments = ("history", "import", "--query", "r", "--out", "x", "--days", "1")
    run(*arguments, "--prometheus-timeout", "7s", FORESAIL_PROMETHEUS_TENANT="blue")
    ((access, _),) = importer.asked
    assert (access.timeout_s, access.headers) == (7.0, {"X-Scope-OrgID": "blue"})


def test_partial_data_is_exit_code_4(importer: Importer) -> None:
    importer.covered_ratio = 0.5
    done = run("history", "import", "--query", "r", "--out", "x", "--days", "1")
    assert (done.exit_code, done.stderr) == (4, "partial: 50.0% of the points asked for are there\n")
    assert "50.0%" in done.stdout


def test_what_prometheus_refuses_is_one_line(importer: Importer) -> None:
    importer.error = Rejected("parse error")
    done = run("history", "import", "--query", "r(", "--out", "x", "--days", "1")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "error: parse error\n")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param((), 2, "give one of --days and --start", id="no span"),
        pytest.param(("--days", "1", *SPAN), 2, "give one of --days and --start", id="two spans"),
        pytest.param(("--days", "1", "--step", "1.5s"), 2, "must be whole seconds", id="step"),
        pytest.param(("--days", "1", "--step", "often"), 2, "must be a duration", id="no step"),
        pytest.param(("--start", "-1h", "--end", "-2h"), 2, "is after the end", id="order"),
        pytest.param(("--days", "1", "--prometheus-url", "prom"), 3, "must be an http", id="URL"),
    ],
)
@pytest.mark.usefixtures("importer")
def test_bad_options(options: tuple[str, ...], code: int, words: str) -> None:
    done = run("history", "import", "--query", "r", "--out", "x", *options)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.replace("│", " ").split())

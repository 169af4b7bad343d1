"""One journal, two drivers: what the daemon decided on a real Prometheus, `backtest` decides from its journal."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.cli.times import moment_text
from controller.demo import prometheus as demo
from controller.demo.load import WORKLOADS
from controller.journal import Journal
from controller.settings.values import journal_url
from policies.model import Status
from policies.snapshot import observation_from
from tests.controller.cli.shared import run
from tests.integration.hour import GATEWAY, INTERVAL_S, ORIGIN_S, PODS, POLICIES, loads
from tests.integration.servers.process import Launch, ServerProcess, eventually, free_port, http_ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.model import Observation
    from tests.integration.servers.prometheus import Prometheus

MINUTE_S = 60.0
PATIENCE_S = 120.0
SCRAPE_S = 0.3


@pytest.fixture
def url(prometheus: Prometheus, tmp_path: Path) -> Iterator[str]:
    """A Prometheus that knows the week before, scrapes what `hour` exports, and outlives it."""
    prometheus.stop()  # that one takes no samples of the past; it tells that the programs are there
    programs = demo.find_programs()
    assert programs is not None
    asyncio.run(demo.backfill(programs, tmp_path, loads()))
    config = demo.Scrape("", SCRAPE_S, tmp_path / PODS).config()
    del config["scrape_configs"][0]["static_configs"]
    config["scrape_configs"][0]["file_sd_configs"] = [{"files": [str(tmp_path / GATEWAY)]}]
    (file := tmp_path / "prometheus.yml").write_text(json.dumps(config))
    (tmp_path / GATEWAY).write_text("[]")
    (tmp_path / PODS).write_text("[]")
    address = f"127.0.0.1:{free_port()}"
    argv = [
        programs.prometheus,
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
        "--query.lookback-delta=2m",
    ]
    with ServerProcess(Launch("prometheus", argv, tmp_path, lambda: http_ok(f"http://{address}/-/ready"))):
        yield f"http://{address}"


def test_an_hour_on_prometheus_with_a_crash_is_decided_again_as_it_was(url: str, tmp_path: Path) -> None:
    journal = tmp_path / "state" / "foresail.db"
    _policies(tmp_path, rerank="shadow")
    with _daemon(tmp_path, url, ORIGIN_S) as first:
        eventually(lambda: _last_s(journal) > ORIGIN_S + 30 * MINUTE_S, PATIENCE_S, what="half an hour")
        first.kill()
    _policies(tmp_path, rerank="active")  # another fleet from here on
    with _daemon(tmp_path, url, _last_s(journal) + 2 * MINUTE_S) as second:
        eventually(lambda: _last_s(journal) > ORIGIN_S + 62 * MINUTE_S, PATIENCE_S, what="an hour")
        second.stop()
        assert second.exit_code == 0, second.log_tail()

    seen = asyncio.run(_observations(journal))
    assert any(each.backfill is not None for each in seen)
    assert any(each.learned is not None for each in seen)
    assert any((each.readings.status != Status.FRESH).any() for each in seen), "there was no hole"
    assert sum(each.applied.lane.size for each in seen) > 5

    policies = ("--policy", "predictive", "--policy", "hpa:0.70", "--policy", "kpa", "--policy", "reactive")
    done = run("backtest", "--journal", str(journal), *policies, "-o", "json")
    assert done.exit_code == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    told = found["journal"]
    assert told["equal"] is True
    assert told["ticks"] == told["equal_ticks"] == len(seen) > 60 * MINUTE_S / INTERVAL_S * 0.6
    assert told["decisions"] == told["equal_targets"] == told["equal_reasons"] == told["equal_actions"]
    assert told["decisions"] == 3 * len(seen)
    assert told["snapshots"] == told["equal_snapshots"] > 5  # bit for bit, before and after the crash
    assert told["recorded"] == told["equal_recorded"] > len(seen) / 2
    assert {(each["trace"], each["policy"]) for each in found["runs"]} == {
        (f"demo/{workload.name}", policy) for workload in WORKLOADS for policy in policies[1::2]
    }
    # The hole is 5 minutes of 62, and then there is the crash; at this speed some scrapes come too late besides.
    shares = {each["unknown_ratio"] for each in found["runs"]}
    assert 0.03 < min(shares) <= max(shares) < 0.6, shares
    _takes_an_incident_along(journal, tmp_path / "incident.db")


def _takes_an_incident_along(journal: Path, out: Path) -> None:
    """A part of the journal, the crash in it, is decided again from a file of its own as it was."""
    part = ("--since", moment_text(ORIGIN_S + 20 * MINUTE_S), "--until", moment_text(ORIGIN_S + 50 * MINUTE_S))
    done = run("journal", "export", "--journal", str(journal), "--out", str(out), *part, "-o", "json")
    assert done.exit_code == 0, done.stderr
    exported = json.loads(done.stdout)
    assert exported["begins"] is not None
    assert exported["rows"]["intents"] == exported["rows"]["outcomes"] > 0
    assert exported["sizeBytes"] < journal.stat().st_size
    done = run("replay", "--journal", str(out), "-o", "json")
    assert done.exit_code == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["ticks"] == told["equal_ticks"] == exported["rows"]["ticks"] > 30 * MINUTE_S / INTERVAL_S * 0.5
    assert told["decisions"] == told["equal_targets"] == told["equal_reasons"] == told["equal_actions"]
    assert told["versions"] == exported["versions"] == [version("foresail")]


def _policies(folder: Path, *, rerank: str) -> None:
    (folder / POLICIES).mkdir(exist_ok=True)
    for each in WORKLOADS:
        mode = rerank if each.name == "rerank" else "active"
        text = each.policy.replace("mode: active", f"mode: {mode}")
        (folder / POLICIES / f"{each.name}.yaml").write_text(text)


def _daemon(folder: Path, url: str, start_s: float) -> ServerProcess:
    """The program `hour` from a wall time on; it is there once it has recorded a tick."""
    argv = [sys.executable, "-m", "tests.integration.hour", str(folder), url, str(start_s)]
    journal = folder / "state" / "foresail.db"
    here = {"PYTHONPATH": str(Path(__file__).parents[2])}
    return ServerProcess(Launch("hour", argv, folder, lambda: _last_s(journal) >= start_s, here, timeout_s=PATIENCE_S))


def _last_s(file: Path) -> float:
    """Wall time of the last tick recorded; 0 while there is none."""
    if not file.exists():
        return 0.0
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return float(database.execute("SELECT coalesce(max(at_s), 0) FROM ticks").fetchone()[0])
    except sqlite3.OperationalError:
        return 0.0  # its tables are being made


async def _observations(file: Path) -> list[Observation]:
    journal = await Journal.reader(journal_url(str(file)))
    try:
        pages = [page async for page in journal.pages(-float("inf"))]
    finally:
        await journal.close()
    return [observation_from(tick.observation) for page in pages for tick in page.ticks]

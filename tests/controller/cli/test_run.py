"""`foresail run`: an option for every setting, problems told at once, and how the daemon's end becomes an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from controller.errors import Unavailable
from controller.settings import catalogue
from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.settings import Settings


class Started:
    """Stands in for the daemon: keeps its settings, and ends when told or when `signals` have been sent."""

    def __init__(self, *signals: int, error: Exception | None = None) -> None:
        self.signals, self.error = signals, error
        self.settings: Settings | None = None
        self.origins: Mapping[str, object] = {}

    async def __call__(self, settings: Settings, *, stop: asyncio.Event, origins: Mapping[str, object]) -> None:
        self.settings, self.origins = settings, origins
        if self.error is not None:
            raise self.error
        for number in self.signals:
            os.kill(os.getpid(), number)
        if self.signals:
            async with asyncio.timeout(10):
                await stop.wait()


def _started(monkeypatch: pytest.MonkeyPatch, *signals: int, error: Exception | None = None) -> Started:
    daemon = Started(*signals, error=error)
    monkeypatch.setattr("controller.app.run_daemon", daemon)
    return daemon


def test_every_setting_has_an_option_with_its_variable() -> None:
    daemon, api = (run(command, "--help", COLUMNS="400").stdout for command in ("run", "metrics-api"))
    for setting in catalogue():
        told = api if setting.name.startswith("metrics_api_") else daemon
        assert f"{setting.flag} " in told
        assert setting.variable in told
    assert "default: 15s" in daemon


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    daemon = _started(monkeypatch)
    file = tmp_path / "settings.yaml"
    file.write_text("interval: 20s\nlog_level: warning\nprometheus_tenant: blue\n")
    arguments = ("--config", str(file), "--policies", "a.yaml", "--policies", "b", "--interval", "40s")
    done = run(
        "run", *arguments, "--prometheus-insecure-skip-verify", FORESAIL_INTERVAL="30s", FORESAIL_LOG_LEVEL="error"
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert daemon.settings is not None
    assert (daemon.settings.interval_s, daemon.settings.log_level) == (40.0, "error")
    assert daemon.settings.prometheus_tenant == "blue"
    assert [str(path) for path in daemon.settings.policies] == ["a.yaml", "b"]
    assert daemon.settings.prometheus_insecure_skip_verify


def test_verbose_is_a_log_level_that_a_flag_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = _started(monkeypatch)
    levels = []
    for arguments in (("-vv", "run"), ("-q", "run"), ("-vv", "run", "--log-level", "info"), ("run",)):
        run(*arguments)
        assert daemon.settings is not None
        levels.append(daemon.settings.log_level)
    assert levels == ["debug", "error", "info", "info"]


def test_all_problems_of_the_settings_are_told() -> None:
    done = run("run", "--interval", "soon", "--removal-ratio", "2", FORESAIL_LISTEN="nowhere")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.count("error: ") == 3
    assert "error: FORESAIL_LISTEN: must be HOST:PORT" in done.stderr


def test_an_unknown_flag_is_a_usage_error() -> None:
    assert run("run", "--intervall", "15s").exit_code == 2


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGTERM, 0, id="SIGTERM"), pytest.param(signal.SIGINT, 130, id="Ctrl-C")],
)
def test_a_signal_ends_the_daemon_cleanly(monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    _started(monkeypatch, number)
    assert run("run").exit_code == code


def test_a_start_that_is_impossible_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _started(monkeypatch, error=Unavailable("cannot listen on 127.0.0.1:9870: in use"))
    done = run("run")
    assert (done.exit_code, done.stderr) == (1, "error: cannot listen on 127.0.0.1:9870: in use\n")

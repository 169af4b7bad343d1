"""The command `audit` on load files: figures on stdout, files where asked for, and exit codes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from controller.cli import app
from controller.cli.exits import PARTIAL
from controller.policy_text import load_policies

if TYPE_CHECKING:
    from pathlib import Path

MINUTES = 1440 + 480


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """A day to warm up and eight hours to compare, the last four at three times the load."""
    value = np.full(MINUTES, 20.0)
    value[-240:] = 60.0
    path = tmp_path / "Chat model.csv"
    rows = [f"{60 * number},{one}" for number, one in enumerate(value.tolist())]
    path.write_text("\n".join(["timestamp,value", *rows, ""]))
    return path


def run(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)], env=env)


def test_a_load_file_is_audited_without_any_server(load: Path, tmp_path: Path) -> None:
    page, policies = tmp_path / "audit.html", tmp_path / "policies.yaml"
    options = ["--capacity", 10, "--startup", "60s", "--price", "0.5/replica-hour", "-o", "json"]
    done = run("--load", load, *options, "--html", page, "--policies-out", policies)
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["kind"], report["source"]) == ("Audit", "load files")
    [workload] = report["workloads"]
    assert workload["name"] == "default/chat-model"
    assert workload["assumed"]["capacityPerReplica"] == 10
    assert workload["incumbent"]["money"] == pytest.approx(workload["incumbent"]["replicaHours"] / 2)
    assert [each["about"] for each in workload["findings"]] == ["replicas", "history"]
    [policy] = load_policies(policies)
    assert (policy.uid, policy.spec.mode) == ("default/chat-model", "shadow")
    assert page.read_text().startswith("<!doctype html>")
    assert f"report with plots: {page}" in done.stderr
    assert "took " in done.stderr


def test_the_table_tells_the_figures_and_what_they_rest_on(load: Path) -> None:
    done = run("--load", load)
    assert done.exit_code == 0, done.stderr
    assert "WORKLOAD" in done.stdout
    assert "a replica's capacity" in done.stdout
    assert "start-up: no start-up times were found; 1m is assumed" in done.stdout


def test_yaml_and_html_go_to_stdout(load: Path) -> None:
    assert yaml.safe_load(run("--load", load, "-o", "yaml").stdout)["kind"] == "Audit"
    assert run("--load", load, "-o", "html").stdout.startswith("<!doctype html>")


def test_a_load_that_is_too_short_is_passed_over_and_counts_as_partial(load: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join(load.read_text().splitlines()[:1000]))
    done = run("--load", load, "--load", short)
    assert done.exit_code == PARTIAL
    assert "default/short: not audited: 0.0 hours are left to compare" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--incumbent", "kpa"], "'kpa' is not hpa:TARGET", id="incumbent"),
        pytest.param(["--capacity", "lots"], "capacity 'lots' is neither", id="capacity"),
        pytest.param(["--price", "cheap"], "'cheap' is no price", id="price"),
        pytest.param(["--serving-limit", "2"], "must be above 0 and up to 1", id="serving-limit"),
        pytest.param(["--startup", "soon"], "must be a duration", id="startup"),
        pytest.param(["--html", "absent/report.html"], "there is no folder absent", id="html"),
    ],
)
def test_a_bad_option_is_a_usage_error(load: Path, options: list[str], words: str) -> None:
    done = run("--load", load, *options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--days", "7"], "'--days': does not go with --load", id="days"),
        pytest.param(["--no-cluster"], "'--cluster': does not go with --load", id="cluster"),
        pytest.param(["--prometheus-url", "http://x"], "'--prometheus-url': does not go with --load", id="server"),
    ],
)
def test_options_of_a_server_do_not_go_with_load_files(load: Path, options: list[str], words: str) -> None:
    done = run("--load", load, *options)
    told = " ".join(done.stderr.replace("│", " ").split())
    assert (done.exit_code, words.replace("'", "") in told.replace("'", "")) == (2, True)


def test_an_incumbent_of_load_files_does_not_go_with_a_server() -> None:
    done = run("--incumbent", "hpa:0.60")
    assert (done.exit_code, "does not go with a server" in done.stderr) == (2, True)


def test_the_table_keeps_its_figures_on_a_narrow_terminal(load: Path) -> None:
    narrow = run("--load", load, "--price", "0.4", env={"COLUMNS": "60"}).stdout.splitlines()
    assert narrow[1].split() == ["WORKLOAD", "HOURS", "(USD)", "LATE", "RATIO", "A", "DAY"]
    [line] = [each for each in narrow if "as it was" in each]
    assert re.search(r"as it was +[\d.,]+ +[\d.,]+ +[\d.]+ % +- +[\d.]+$", line)


def test_a_file_and_a_server_that_are_not_there_are_errors(tmp_path: Path) -> None:
    done = run("--load", tmp_path / "absent.csv")
    assert (done.exit_code, "cannot be read" in done.stderr) == (1, True)
    done = run("--prometheus-url", "http://127.0.0.1:9", "--no-cluster")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: prometheus: http://127.0.0.1:9: Cannot connect")
    assert "check --prometheus-url" in done.stderr

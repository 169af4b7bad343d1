"""`foresail pause`, `resume` and `override` against the real application."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog
from typer.testing import CliRunner

from controller.cli import app
from tests.controller.web.running import TOKEN, Stage, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with structlog.testing.capture_logs(), running(tmp_path) as found:  # else the daemon's lines are in the output
        yield found


def run(stage: Stage, *arguments: str, token: str = TOKEN) -> Result:
    return CliRunner().invoke(app, [*arguments, "--url", stage.url], env={"FORESAIL_TOKEN": token})


def test_override_pause_and_resume(stage: Stage) -> None:
    made = run(stage, "override", "shop/web", "--replicas", "9", "--reason", "sale", "--for", "30m")
    assert made.exit_code == 0
    assert made.stdout == "shop/web: 9 replicas until 2023-11-14T22:43:50.000Z\n"  # half an hour after two ticks
    assert made.stderr == ""
    made = run(stage, "pause", "web", "-n", "shop", "--reason", "incident 7")
    assert made.stdout == (
        "shop/web: paused until 2023-11-14T23:13:50.001Z, in place of the override with 9 replicas by anna"
        " until 2023-11-14T22:43:50.000Z\n"
    )
    made = run(stage, "resume", "shop/web", "--reason", "over", "-o", "json")
    found = json.loads(made.stdout)
    assert (found["kind"], found["intervention"]["kind"], found["replaced"]["kind"]) == (
        "InterventionResult",
        "resume",
        "pause",
    )


def test_all_at_once_and_what_stands_in_the_way_is_told(stage: Stage) -> None:
    assert run(stage, "pause", "--all", "--reason", "storm").stdout.startswith("all workloads: paused until")
    made = run(stage, "override", "shop/web", "--replicas", "3", "--why", "x")
    assert made.exit_code == 0
    assert made.stderr == "warning: it has no effect now: anna paused all workloads: storm\n"
    assert run(stage, "resume", "--all", "--reason", "over").stdout.startswith("all workloads: resumed, before the end")


@pytest.mark.parametrize(
    ("arguments", "token", "code", "words"),
    [
        pytest.param(["pause", "--reason", "x"], TOKEN, 2, "name a workload, or all of them with --all", id="nothing"),
        pytest.param(["pause", "a", "--all", "--reason", "x"], TOKEN, 2, "name a workload", id="both"),
        pytest.param(["pause", "shop/web"], TOKEN, 2, "--reason", id="no-reason"),
        pytest.param(["pause", "shop/web", "--reason", "x"], "", 1, "a token is needed", id="no-token"),
        pytest.param(["pause", "shop/web", "--reason", "x"], "wrong", 1, "the token is nobody's", id="wrong-token"),
        pytest.param(["pause", "shop/gone", "--reason", "x"], TOKEN, 1, "no policy is in force", id="no-workload"),
        pytest.param(
            ["override", "shop/web", "--replicas", "99", "--reason", "x"], TOKEN, 1, "beyond the bounds", id="bounds"
        ),
        pytest.param(["pause", "shop/web", "--reason", "x", "--for", "soon"], TOKEN, 1, "for: ", id="no-time"),
    ],
)
def test_what_cannot_be_done_is_told(stage: Stage, arguments: list[str], token: str, code: int, words: str) -> None:
    made = run(stage, *arguments, token=token)
    assert made.exit_code == code
    assert words in made.stderr
    assert TOKEN not in made.output


def test_the_token_may_come_from_a_file(stage: Stage, tmp_path: Path) -> None:
    tmp_path.joinpath("mine").write_text(f"{TOKEN}\n")
    made = run(stage, "pause", "--all", "--reason", "x", "--token-file", str(tmp_path / "mine"), token="")
    assert made.exit_code == 0
    made = run(stage, "pause", "--all", "--reason", "x", "--token-file", str(tmp_path / "none"), token="")
    assert (made.exit_code, "cannot be read: No such file" in made.stderr) == (1, True)

"""What documents promise: example policies are valid, and commands marked with `<!-- test -->` run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.policy_text import parse_policies
from tests.architecture.source import ROOT, tracked_files

FENCE = re.compile(r"(?P<before>[^\n]*)\n```(?P<language>\w+)\n(?P<body>.*?)^```", flags=re.DOTALL | re.MULTILINE)
MARK = "<!-- test -->"
TIMEOUT_S = 120


def _blocks(language: str) -> Iterator[tuple[str, str, str]]:
    """Place, line before, and body of each fenced block of one language in README and docs."""
    for path in tracked_files():
        if path.suffix != ".md" or path.parts[0] not in ("README.md", "docs"):
            continue
        text = (ROOT / path).read_text()
        for found in FENCE.finditer("\n" + text):
            if found["language"] == language:
                line = text.count("\n", 0, found.start("body") - 1)
                yield f"{path}:{line}", found["before"].strip(), found["body"]


POLICIES = [pytest.param(body, place, id=place) for place, _, body in _blocks("yaml") if "kind: WorkloadPolicy" in body]
COMMANDS = [pytest.param(body, id=place) for place, before, body in _blocks("sh") if before == MARK]


@pytest.mark.parametrize(("text", "place"), POLICIES)
def test_example_policies_are_valid(text: str, place: str) -> None:
    assert parse_policies(text, source=place)


@pytest.mark.parametrize("commands", COMMANDS)
def test_marked_commands_run(commands: str, tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

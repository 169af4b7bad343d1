"""What documents promise: example policies are valid, commands marked with `<!-- test -->` run, links lead on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.policy_text import parse_documents
from controller.settings import NOT_SETTINGS, PREFIX, catalogue
from policies.documents import Documents
from tests.architecture.source import ROOT, tracked_files

FENCE = re.compile(r"(?P<before>[^\n]*)\n```(?P<language>\w+)\n(?P<body>.*?)^```", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")
VARIABLE = re.compile(r"\bFORESAIL_\w*[A-Z]")
MARK = "<!-- test -->"
PLACES = ("README.md", "CONTRIBUTING.md", "docs")
TIMEOUT_S = 240  # a fresh clone compiles the loops of shadow replay first


def _documents() -> Iterator[Path]:
    return (path for path in tracked_files() if path.suffix == ".md" and path.parts[0] in PLACES)


def _links() -> Iterator[tuple[str, Path]]:
    """Place and aim of each relative link, its anchor left out."""
    for path in _documents():
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            for aim in LINK.findall(line):
                yield f"{path}:{number}", path.parent / aim


def _blocks(language: str) -> Iterator[tuple[str, str, str]]:
    """Place, line before, and body of each fenced block of one language."""
    for path in _documents():
        text = (ROOT / path).read_text()
        for found in FENCE.finditer("\n" + text):
            if found["language"] == language:
                line = text.count("\n", 0, found.start("body") - 1)
                yield f"{path}:{line}", found["before"].strip(), found["body"]


OURS = ("kind: WorkloadPolicy", "kind: Budget")
POLICIES = [
    pytest.param(body, place, id=place) for place, _, body in _blocks("yaml") if any(kind in body for kind in OURS)
]
COMMANDS = [pytest.param(body, id=place) for place, before, body in _blocks("sh") if before == MARK]


@pytest.mark.parametrize(("text", "place"), POLICIES)
def test_example_policies_are_valid(text: str, place: str) -> None:
    assert parse_documents(text, source=place) != Documents()


@pytest.mark.parametrize(("place", "aim"), [pytest.param(*link, id=f"{link[0]}-{link[1]}") for link in _links()])
def test_relative_links_lead_to_what_is_there(place: str, aim: Path) -> None:
    assert (ROOT / aim).exists(), f"{place}: there is no {aim}"


def test_variables_are_those_of_settings() -> None:
    known = {each.variable for each in catalogue()} | {f"{PREFIX}{name.upper()}" for name in NOT_SETTINGS}
    named = {(word, str(path)) for path in _documents() for word in VARIABLE.findall((ROOT / path).read_text())}
    assert {(word, place) for word, place in named if word not in known} == set()


@pytest.mark.parametrize("commands", COMMANDS)
def test_marked_commands_run(commands: str, tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    told = subprocess.PIPE
    with subprocess.Popen(
        shell, cwd=tmp_path, env=environment, stdout=told, stderr=told, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=TIMEOUT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # with all that the shell has started
    assert process.returncode == 0, errors + output

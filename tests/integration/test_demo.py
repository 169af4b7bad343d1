"""`foresail demo` as a user runs it: decisions are seen, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.servers.process import eventually

FORESAIL = str(Path(sys.executable).parent / "foresail")
CHANGE = re.compile(r"^Tue \d\d:\d\d  (chat|embed|rerank) +\d+ -> \d+ +\S.+\.$", re.MULTILINE)
PATIENCE_S = 120.0


def _start(folder: Path, *options: str, **environment: str) -> subprocess.Popen[bytes]:
    """The demo with its temporary files below `folder`, writing to `folder`/out."""
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(
            [FORESAIL, "demo", *options],
            env=_environment(folder, environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FORESAIL_")}
    return {**ours, "TMPDIR": str(folder), **more}


def _left_behind(folder: Path) -> list[str]:
    """Temporary folders, and command lines of processes that have to do with `folder`."""
    files = [path.name for path in folder.glob("foresail-demo-*")]
    lines = [_command_line(process) for process in Path("/proc").glob("[0-9]*/cmdline")]
    return files + [line for line in lines if str(folder) in line and "pytest" not in line]


def _command_line(file: Path) -> str:
    try:
        return file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # It ended meanwhile.


def _ended(process: subprocess.Popen[bytes], folder: Path) -> str:
    """What the demo wrote, once it has ended well."""
    try:
        code = process.wait(PATIENCE_S)
    finally:
        process.kill()
    told = (folder / "out").read_text()
    assert code == 0, told
    assert _left_behind(folder) == []
    return told


@pytest.mark.usefixtures("prometheus")
def test_decisions_on_a_real_prometheus_are_seen_and_nothing_is_left(tmp_path: Path) -> None:
    told = _ended(_start(tmp_path, "--for", "40s", "--plain"), tmp_path)
    assert "Prometheus scrapes the simulated servers" in told
    assert "embedded source" not in told
    assert re.search(r"^  foresail explain demo/chat --url http://127.0.0.1:\d+$", told, re.MULTILINE)
    assert re.search(r"^  foresail explain demo/chat --at \S+Z --journal sqlite:///\S+foresail.db$", told, re.MULTILINE)
    assert len(CHANGE.findall(told)) >= 1, told
    assert "scaling decisions carried out" in told


@pytest.mark.usefixtures("prometheus")
def test_an_interrupt_ends_the_demo_in_good_order(tmp_path: Path) -> None:
    process = _start(tmp_path, "--plain")
    eventually(lambda: "Ctrl-C" in (tmp_path / "out").read_text(), PATIENCE_S, what="the demo to begin")
    process.send_signal(signal.SIGINT)
    assert "simulated hours" in _ended(process, tmp_path)


@pytest.mark.usefixtures("prometheus")
def test_an_interrupt_while_prometheus_starts_leaves_nothing(tmp_path: Path) -> None:
    process = _start(tmp_path)
    eventually(lambda: "starting it" in (tmp_path / "out").read_text(), PATIENCE_S, what="the demo to set its stage")
    process.send_signal(signal.SIGTERM)
    assert "simulated hours" not in _ended(process, tmp_path)


def test_without_prometheus_it_runs_on_an_embedded_source_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    told = _ended(_start(tmp_path, "--for", "30", "--plain", PATH=str(tmp_path / "bin")), tmp_path)
    assert "apt-get install prometheus" in told
    assert "runs on an embedded source" in told
    assert len(CHANGE.findall(told)) >= 1, told


@pytest.mark.parametrize("given", ["0s", "soon"])
def test_a_time_that_cannot_be_used_is_a_usage_error(tmp_path: Path, given: str) -> None:
    process = _start(tmp_path, "--for", given)
    assert process.wait(PATIENCE_S) == 2
    assert "90s" in (tmp_path / "out").read_text() or "above 0s" in (tmp_path / "out").read_text()

"""The process of refits: it ends with its block and with its owner, and comes back after it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.worker import GivenUp, alone, worker
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from concurrent.futures import Future

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0
OWNER = """
import os, time
from controller.worker import worker
if __name__ == "__main__":
    with worker() as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        executor.submit(time.sleep, 600).result()
"""


def test_work_under_way_is_given_up_at_the_end() -> None:
    with worker() as executor:
        process = executor.submit(os.getpid).result(PATIENCE_S)
        assert process != os.getpid()
        begun: Future[None] = executor.submit(time.sleep, 600)
        began_s = time.monotonic()
    eventually(begun.done, PATIENCE_S)
    assert begun.cancelled() or isinstance(begun.exception(), BrokenProcessPool)
    assert time.monotonic() - began_s < 10
    eventually(lambda: not _alive(process), PATIENCE_S)


def test_a_worker_that_was_killed_is_started_again() -> None:
    with worker() as executor:
        first = executor.submit(os.getpid).result(PATIENCE_S)
        begun: Future[None] = executor.submit(time.sleep, 600)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            begun.result(PATIENCE_S)
        assert executor.submit(os.getpid).result(PATIENCE_S) != first


def test_the_worker_ends_when_its_owner_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = int(owner.stdout.readline())
        assert _alive(process)
        owner.kill()
    eventually(lambda: not _alive(process), PATIENCE_S)


def _alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_work_alone_has_the_least_priority_and_its_answer_comes_back() -> None:
    process, niceness = await alone(_who, 0, within_s=PATIENCE_S)
    assert process != os.getpid()
    assert niceness == 19
    eventually(lambda: not _alive(process), PATIENCE_S)


async def test_work_alone_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    began = tmp_path / "began"
    with pytest.raises(GivenUp, match="it took too long"):
        await alone(_sleep, began, within_s=20.0)
    process = int(began.read_text())
    assert not _alive(process)


async def test_work_alone_is_killed_when_nobody_waits(tmp_path: Path) -> None:
    began = tmp_path / "began"
    waiting = asyncio.create_task(alone(_sleep, began, within_s=600.0))
    await asyncio.to_thread(eventually, lambda: began.exists() and bool(began.read_text()), PATIENCE_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    process = int(began.read_text())
    await asyncio.to_thread(eventually, lambda: not _alive(process), PATIENCE_S)


async def test_work_alone_that_dies_says_so() -> None:
    with pytest.raises(GivenUp, match="its process ended without an answer"):
        await alone(_die, 0, within_s=PATIENCE_S)


def _who(_given: int) -> tuple[int, int]:
    return os.getpid(), os.nice(0)


def _sleep(began: Path) -> None:
    began.write_text(str(os.getpid()))
    signal.pause()


def _die(_given: int) -> None:
    os._exit(1)

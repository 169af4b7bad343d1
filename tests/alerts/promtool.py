"""Runs promtool, which comes with Prometheus; where it is missing, the test is skipped and says so."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integration.servers.process import MissingServer, find_program

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 60


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and all output of one run."""
    done = subprocess.run(
        [_program(), *map(str, arguments)], check=False, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    return done.returncode, done.stdout + done.stderr


def _program() -> str:
    try:
        return find_program("promtool", package="prometheus")
    except MissingServer as error:
        reason = str(error)
    if os.environ.get("FORESAIL_REQUIRE_SERVERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

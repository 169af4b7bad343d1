"""Large arrays go back to the system, whatever small ones lie behind them."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# One freed block of 30 MB raises glibc's own limit. Then 20 of 8 MB come, each with a small one behind it, and go.
SCRIPT = """
import ctypes, sys
import numpy as np, psutil
from controller.allocator import return_large_blocks

def memory_mb():
    return psutil.Process().memory_info().rss / 1e6

if sys.argv[1] == "given-back":
    assert return_large_blocks()
np.ones(30_000_000, np.int8)
before_mb = memory_mb()
pairs = [(np.ones(8_000_000, np.int8), np.ones(200_000, np.int8)) for _ in range(20)]
small = [behind for _, behind in pairs]
del pairs
print(memory_mb() - before_mb)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells of glibc")
@pytest.mark.parametrize(("how", "least_mb", "most_mb"), [("kept", 100.0, 200.0), ("given-back", -5.0, 15.0)])
def test_large_arrays_are_given_back(how: str, least_mb: float, most_mb: float) -> None:
    command = [sys.executable, "-c", SCRIPT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert least_mb < float(done.stdout) < most_mb

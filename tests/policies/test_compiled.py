"""Compiled loops work where nothing can be kept."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from policies.compiled import compiled


def test_a_function_without_a_file_to_keep_it_beside_is_compiled_all_the_same() -> None:
    made: dict[str, Any] = {}
    exec("def total(values):\n    return values.sum()", made)  # noqa: S102 - as in an image without a place to write
    assert compiled(made["total"])(np.arange(4.0)) == 6.0


def test_what_was_compiled_is_kept_where_the_environment_says(tmp_path: Path) -> None:
    script = (
        "import numpy as np\n"
        "from policies.kpa import MaxWindow, largest_lately\n"
        "print(largest_lately(MaxWindow.empty(1, 2), 0, 1, 7))\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "7\n"
    assert len(list(tmp_path.rglob("*.nbc"))) == 1


def test_a_loop_is_compiled_again_when_a_file_that_it_takes_from_changes(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("FACTOR = 2\n")
    (tmp_path / "outer.py").write_text(
        "import inner\n"
        "from inner import FACTOR\n"
        "from policies.compiled import compiled_with\n"
        "@compiled_with(inner)\n"
        "def times(value):\n"
        "    return value * FACTOR\n"
        "print(times(3))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": str(tmp_path)}
    printed = []
    for text in ("FACTOR = 2\n", "FACTOR = 2\n", "FACTOR = 50\n"):
        (tmp_path / "inner.py").write_text(text)
        command = [sys.executable, "-c", "import outer"]
        printed.append(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert printed == ["6\n", "6\n", "150\n"]

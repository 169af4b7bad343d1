"""Generated files are what the program renders today."""

import subprocess
import sys

from tests.architecture.source import ROOT


def test_generated_files_are_fresh() -> None:
    check = [sys.executable, "-m", "controller.generate", "--check"]
    done = subprocess.run(check, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"run `make generate`\n{done.stdout}{done.stderr}"

"""Where the judge and the load files are; tests that need them skip with a reason where they are absent."""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The judge's compiled functions are cached away from its own folder, which is not ours to write to.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / "foresail-tests-numba"))
SHARED = Path(os.environ.get("FORESAIL_SHARED") or ROOT.parent / "shared")


def judge_module(name: str) -> ModuleType:
    """A module of the judge, under a name of its own; skips where the judge is not there."""
    path = SHARED / "judge" / f"{name}.py"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set FORESAIL_SHARED to the folder that holds judge/")
    known = f"foresail_judge_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


def load_file(name: str) -> Path:
    """A load file by its name; skips where it is not there."""
    path = SHARED / "data" / "load" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: set FORESAIL_SHARED to the folder that holds data/load/")
    return path

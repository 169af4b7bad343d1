"""Where the vectors are: the project's own, and those of the shared folder and FORESAIL_CONFORMANCE_DIR, if there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.simulations.shared import SHARED

Vector = dict[str, Any]

TAKEN: dict[str, set[str]] = {}  # by file, the ids of the vectors that a test runs


def files() -> dict[str, list[Vector]]:
    """The vectors of every file, by its name."""
    folders = [Path(__file__).parent / "vectors", SHARED / "conformance"]
    if extra := os.environ.get("FORESAIL_CONFORMANCE_DIR"):
        folders.append(Path(extra))
    paths = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def cases(subject: str, *kinds: str) -> pytest.MarkDecorator:
    """Run a test on each vector of a subject, of these kinds alone if any are named."""
    found = []
    for name, vectors in files().items():
        for vector in vectors if name.split(".")[0] == subject else ():
            if not kinds or vector["kind"] in kinds:
                TAKEN.setdefault(name, set()).add(vector["id"])
                found.append(pytest.param(vector, id=f"{name}:{vector['id']}"))
    assert found, f"no vector of {subject} {kinds}"
    return pytest.mark.parametrize("vector", found)

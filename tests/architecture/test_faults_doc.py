"""Every row of docs/faults.md names a test, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.architecture.source import ROOT

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
HEAD = ["Fault", "Raising", "Lowering", "What it shows", "Test"]


def _rows() -> list[list[str]]:
    text = (ROOT / "docs" / "faults.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row != HEAD]


@cache
def functions_in(path: str) -> frozenset[str]:
    file = ROOT / "tests" / path
    if not file.is_file():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_a_fault_has_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == len(HEAD), row
    named = NAMED.findall(row[-1])
    assert named
    missing = [
        f"{path}::{name}" for path, name in named if name not in functions_in(path) or not name.startswith("test_")
    ]
    assert not missing

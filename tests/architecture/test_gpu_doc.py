"""Every row of the fault table in docs/gpu.md names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import ROOT
from tests.architecture.test_faults_doc import NAMED, functions_in

TABLE = re.compile(r"\| Fault \|.*\n\|[-|]+\|\n((?:\|.*\n)+)")


def _rows() -> list[str]:
    found = TABLE.search((ROOT / "docs" / "gpu.md").read_text())
    return found.group(1).splitlines() if found else []


def test_there_is_a_table() -> None:
    assert len(_rows()) > 10


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row.split("|")[1].strip())
def test_a_fault_of_a_gpu_has_a_test_that_exists(row: str) -> None:
    named = NAMED.findall(row)
    assert named
    assert [f"{path}::{name}" for path, name in named if name not in functions_in(path)] == []

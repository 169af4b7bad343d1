"""Counts the vectors by their files, at the end of a run that had some."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.conformance.cases import files

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many vectors of each file passed, of how many there are."""
    reports = terminalreporter.stats.get("passed", [])
    passed = Counter(report.nodeid.partition("[")[2].partition(":")[0] for report in reports)
    found = {name: len(vectors) for name, vectors in files().items()}
    if not found.keys() & passed.keys():
        return
    terminalreporter.section("vectors that passed, by file")
    for name, there in found.items():
        terminalreporter.write_line(f"{name:30} {passed[name]:4} of {there:4}")
    total = sum(passed[name] for name in found)
    terminalreporter.write_line(f"{'all':30} {total:4} of {sum(found.values()):4}")

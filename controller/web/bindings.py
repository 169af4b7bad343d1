"""What signals with a preset are read from: as a document and in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.model import signal_name
from policies.presets.catalogue import PRESETS

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web import shapes


def binding(report: TickReport, track: int) -> shapes.Binding | None:
    """Which candidates of its preset a signal is read from; None without a preset."""
    found = report.bindings.get(report.fleet.tracks.uid[track].partition("#")[0])
    if found is None:
        return None
    metrics = None if found.metrics is None else list(found.metrics)
    return {"preset": found.preset, "metrics": metrics, "candidates": list(PRESETS[found.preset].candidate_names())}


def sentences(report: TickReport, lane: int) -> tuple[str, ...]:
    """One for each of a lane's signals of which it is known."""
    tracks = report.fleet.tracks
    first, end = np.searchsorted(tracks.lane, [lane, lane + 1])
    told = ((signal_name(tracks.uid[track]), binding(report, track)) for track in range(first, end))
    return tuple(_sentence(name, found) for name, found in told if found is not None and found["metrics"] is not None)


def _sentence(name: str, found: shapes.Binding) -> str:
    metrics, candidates = found["metrics"] or [], found["candidates"]
    others = [each for each in candidates if each not in metrics]
    if not metrics:
        return f"Signal {name} ({found['preset']}) has nothing to read: no series of {', '.join(candidates)}."
    passed = f"; {', '.join(others)} not" if others else ""
    return f"Signal {name} ({found['preset']}) is read from {' and '.join(metrics)}{passed}."

"""Declared events in what models learn from and in what they say: taken out of the past, put on the future."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.events import Spans
    from policies.history import Window

_MINUTE_S = 60.0


def without_events(window: Window, spans: Spans) -> Window:
    """`window` `[row, minute]` as it would have been: extra load taken off, never below 0, then factors undone."""
    touched = _columns(window, spans)
    if not touched:
        return window
    value = window.value.copy()
    for span, columns in touched:
        value[spans.row[span], columns] -= np.float32(spans.extra[span])
    np.maximum(value, 0, out=value)
    for span, columns in touched:
        value[spans.row[span], columns] /= np.float32(spans.factor[span])
    return replace(window, value=value)


def with_events(value: FloatArray, at_s: FloatArray, spans: Spans) -> FloatArray:
    """Usual load `[row, time, ...]` at `at_s` `[time]` as it will be: multiplied by factors, then extra load added."""
    changed = value.copy()
    active = (spans.from_s[:, np.newaxis] <= at_s) & (at_s < spans.until_s[:, np.newaxis])
    for span in np.flatnonzero(active.any(axis=1)).tolist():
        changed[spans.row[span], active[span]] *= spans.factor[span]
    for span in np.flatnonzero(active.any(axis=1)).tolist():
        changed[spans.row[span], active[span]] += spans.extra[span]
    return changed


def _columns(window: Window, spans: Spans) -> list[tuple[int, slice]]:
    """The columns of the minutes in which each span that meets the window holds."""
    minutes = window.value.shape[1]
    found: list[tuple[int, slice]] = []
    for span in range(spans.row.size):
        first = max(0, int(np.ceil((spans.from_s[span] - window.start_s) / _MINUTE_S)))
        last = min(minutes, int(np.ceil((spans.until_s[span] - window.start_s) / _MINUTE_S)))
        if first < last:
            found.append((span, slice(first, last)))
    return found

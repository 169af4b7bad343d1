"""How the console writes what the API says: conditions and states in words, numbers and times short."""

from __future__ import annotations

from math import isfinite

NOT_KNOWN = "not known"

# A word, and the sign beside it: no colour tells anything alone.
STATES = {
    "healthy": ("Healthy", "ok"),
    "degraded": ("Degraded", "warn"),
    "safe_mode": ("Safe mode", "bad"),
    "paused": ("Paused", "held"),
    "starting": ("Starting", "held"),
}
CONDITIONS = {
    "short": ("Short of replicas", "bad"),
    "blocked": ("Blocked", "bad"),
    "at_maximum": ("At its maximum", "warn"),
    "blind": ("Data missing", "warn"),
    "limited": ("Limited by budget or quota", "warn"),
    "owned": ("Scaled by another", "held"),
    "paused": ("Paused", "held"),
    "fixed": ("Count fixed", "held"),
    "well": ("Well", "ok"),
}
STATUSES = {
    "fresh": ("fresh", "ok"),
    "stale": ("stale", "warn"),
    "missing": ("missing", "bad"),
    "censored": ("lower bound", "warn"),
}
RESULTS = {
    "applied": ("applied", "ok"),
    "conflict": ("conflict: somebody else wrote first", "warn"),
    "rejected": ("rejected", "bad"),
    "unavailable": ("the server did not answer", "bad"),
}
SIGNS = {"ok": "✓", "warn": "▲", "bad": "✖", "held": "❚❚"}

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0
_LARGE = 1e4


def plain(code: str) -> str:
    """A code such as missing_data in words."""
    return code.replace("_", " ")


def number(value: float | None) -> str:
    """A number with three digits that count, all of them where it is large."""
    if value is None or not isfinite(value):
        return NOT_KNOWN
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"  # noqa: PLR2004 - four digits


def percent(ratio: float | None) -> str:
    """A ratio per cent."""
    return NOT_KNOWN if ratio is None else f"{100 * ratio:.3g}\N{NO-BREAK SPACE}%"


def span(time_s: float | None) -> str:
    """A stretch of time in the unit that suits it."""
    if time_s is None:
        return NOT_KNOWN
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if time_s >= 2 * unit_s:
            return f"{round(time_s / unit_s, 1):g}\N{NO-BREAK SPACE}{unit}"
    return f"{time_s:.0f}\N{NO-BREAK SPACE}s"


def replicas(count: int | None) -> str:
    """A count of replicas, which may not be known."""
    return NOT_KNOWN if count is None else str(count)

"""What to write into a policy or a scenario, with the evidence beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.calibration.calibrate import Calibration
    from policies.calibration.estimates import Interval

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Declaration:
    """`capacity` times `serving_limit` is what a replica serves in time; None without an objective."""

    capacity: float
    serving_limit: float | None
    at_least: bool  # the limit was not seen; what is told was served, and more might be
    text: str  # lines of YAML


def declaration(found: Calibration) -> Declaration | None:
    """The capacity to declare, rounded down; None where nothing was seen that could be.

    Capacity is what saturated replicas served, if any were, with the limit as a share of it; else the limit itself.
    """
    serving = found.serving
    in_time = serving.value if serving.value is not None else serving.low
    if found.kept and in_time is None:
        return None
    most = found.saturated.value
    capacity = most if most is not None and (in_time is None or most > in_time) else in_time
    at_least = serving.value is None and most is None
    if capacity is None:
        capacity = found.highest
    limit = None if in_time is None else _down(min(in_time / capacity, 1.0))
    told = _down(capacity)
    evidence = _evidence(found, found.saturated if most == capacity else serving, at_least=at_least)
    lines = [f"capacityPerReplica: {told:g}  # {evidence}"]
    if limit is not None:
        objectives = ", ".join(str(each.objective) for each in found.kept)
        words = "at least " if serving.value is None else ""
        lines.append(f"servingLimit: {limit:g}  # of the objective: {words}{in_time:.4g} in time ({objectives})")
    return Declaration(told, limit, at_least, "\n".join(lines))


def _evidence(found: Calibration, interval: Interval, *, at_least: bool) -> str:
    first, last = (datetime.fromtimestamp(at_s, UTC).date().isoformat() for at_s in found.span_s)
    when = f"{found.used} windows, {first} to {last}, highest load {found.highest:.4g}"
    if at_least:
        return f"at least, as no limit was seen: {when}"
    if interval.low is None or interval.high is None:
        return f"measured: {when}"
    return f"measured, 95 % interval {interval.low:.4g} to {interval.high:.4g}: {when}"


def _down(value: float) -> float:
    """Rounded down to three digits, so that no more is declared than was seen."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    return float(f"{math.floor(value / unit + 1e-9) * unit:.{_DIGITS}g}")

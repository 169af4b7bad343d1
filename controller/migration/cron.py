"""KEDA's cron triggers as schedules: a start and an end become a start and a duration."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from cronsim import CronSim, CronSimError

from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FROM = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year, so that yearly windows come too
_STARTS = 60
_LONGEST_S = 7 * 86_400.0


def schedule_of(metadata: Mapping[str, object], least: int, most: int) -> dict[str, object]:
    """The window with at least as many replicas as the trigger desires. Raises ValueError where there is none."""
    start, end = str(metadata.get("start")), str(metadata.get("end"))
    desired = int(str(metadata.get("desiredReplicas")))
    if desired <= least:
        raise ValueError(f"its {desired} replicas are no more than the minimum, which holds at all times ({least})")
    return {
        "cron": start,
        "timezone": str(metadata.get("timezone") or "UTC"),
        "duration": duration_text(_length_s(start, end)),
        "min": min(desired, most),
    }


def _length_s(start: str, end: str) -> float:
    """How long its windows last; all of the next sixty must last as long, which their wall clocks tell."""
    cannot = f"its start ({start}) or end ({end}) cannot be read, or never comes"
    try:
        begins = list(islice(CronSim(start, _FROM), _STARTS))
        lengths_s = {(next(CronSim(end, each)) - each).total_seconds() for each in begins}
    except (CronSimError, StopIteration) as error:
        raise ValueError(cannot) from error
    if not lengths_s:
        raise ValueError(cannot)
    length_s = max(lengths_s)
    if len(lengths_s) > 1:
        shown = f"from {duration_text(min(lengths_s))} to {duration_text(length_s)}"
        raise ValueError(f"its windows last {shown}, and a schedule's duration is one; write them as several schedules")
    if length_s > _LONGEST_S:
        raise ValueError(f"its windows last {duration_text(length_s)}, and a schedule at most 7d")
    return length_s

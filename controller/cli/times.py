"""Moments as users write them on the command line, and as they are shown."""

import math
import time
from datetime import UTC, datetime

import typer

from policies.quantities import parse_duration_s


def moment_s(given: str, option: str) -> float:
    """The wall time that is meant: RFC 3339 (UTC unless it says otherwise), ``now``, or so long ago: ``-2h``."""
    if given == "now":
        return time.time()
    try:
        if given.startswith("-"):
            return time.time() - parse_duration_s(given[1:])
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(
            f"must be a time such as 2026-03-14T09:30:00Z, or so long ago, such as -2h, not {given!r}",
            param_hint=option,
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def span_of(since: str | None, until: str | None) -> tuple[float, float]:
    """What `--since` and `--until` mean; without end where they are not given."""
    since_s = -math.inf if since is None else moment_s(since, "--since")
    until_s = math.inf if until is None else moment_s(until, "--until")
    if until_s < since_s:
        words = f"{moment_text(since_s)} is after --until, {moment_text(until_s)}"
        raise typer.BadParameter(words, param_hint="--since")
    return since_s, until_s


def moment_text(at_s: float) -> str:
    """A wall time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

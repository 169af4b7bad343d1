"""What state Foresail is in, why, and since when; and the document of its health."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from controller.clock import SystemClock
from controller.records import FLEET
from controller.telemetry import SAFE_MODES, safe_modes
from controller.web.times import time_text
from policies.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from controller.records import SourceHealth, TickReport
    from controller.web import schemas
    from controller.web.app import Check, Views

API_VERSION = "foresail.dev/v1alpha1"
StateName = Literal["starting", "safe_mode", "paused", "degraded", "healthy"]

_SAFE_WORDS = {
    "kill_switch": "the kill switch is on, so nothing is changed",
    "cluster_down": "what is known of the cluster is too old, so nothing is changed there",
    "no_fresh_data": "no signal is fresh, so nothing is lowered",
}


@dataclass(frozen=True, slots=True)
class State:
    """A state, every reason for it, and the wall time since which it lasts, as far as this process knows."""

    name: StateName
    reasons: tuple[str, ...]
    since_s: float


@dataclass(slots=True)
class StateLog:
    """Remembers since when the state is what it is; it is looked at once a tick, and whenever somebody asks."""

    now_s: Callable[[], float] = field(default_factory=lambda: SystemClock().now_s)
    _last: State | None = None

    def of(self, report: TickReport | None, checks: Sequence[Check]) -> State:
        """The state now. `checks` are those of the probes."""
        name, reasons = state_of(report, checks)
        same = self._last is not None and self._last.name == name
        since_s = self._last.since_s if self._last is not None and same else self.now_s()
        self._last = State(name, reasons, since_s)
        return self._last


def state_of(report: TickReport | None, checks: Sequence[Check]) -> tuple[StateName, tuple[str, ...]]:
    """The first state that holds, the most telling first, and all that speaks for it."""
    failed = tuple(str(check) for check in checks if not check.ok)
    if report is None:
        return "starting", failed or ("no tick has come to a decision yet",)
    wrong = (*failed, *_wrong(report))
    if safe := tuple(_safe(report)):
        return "safe_mode", (*safe, *wrong)
    if (told := report.interventions.get(FLEET)) is not None:
        return "paused", (f"{told.who} paused all workloads until {time_text(told.until_s)}: {told.reason}", *wrong)
    if wrong:
        return "degraded", wrong
    return "healthy", (f"{_count(report.fleet.lanes, 'workload')}, every source answers",)


def health(views: Views) -> schemas.Health:
    """The probes' checks, the state, and how the last tick and its sources fared."""
    found, state = views.report(), views.state()
    return {
        "apiVersion": API_VERSION,
        "kind": "Health",
        "state": {"name": state.name, "reasons": list(state.reasons), "since": time_text(state.since_s)},
        "live": [_check(each) for each in views.live()],
        "ready": [_check(each) for each in views.ready()],
        "lastTickAt": None if found is None else time_text(found.at_s),
        "sources": [] if found is None else [_source(each) for each in found.sources],
        "signals": None if found is None else _signals(found),
        "killSwitch": None if found is None else found.killed,
        "problems": [] if found is None else list(found.problems),
        "quarantined": {} if found is None else dict(found.quarantined),
    }


def _safe(report: TickReport) -> Iterator[str]:
    for reason, on in zip(SAFE_MODES, safe_modes(report), strict=True):
        if on and reason in _SAFE_WORDS:
            yield _SAFE_WORDS[reason] + (f": {report.killed}" if reason == "kill_switch" and report.killed else "")


def _wrong(report: TickReport) -> Iterator[str]:
    """What is wrong without stopping Foresail."""
    for source in report.sources:
        if not source.ok:
            yield f"{source.name} does not answer: {source.message}"
    if report.problems:
        yield _count(len(report.problems), "problem")
    if report.quarantined:
        yield f"{_count(len(report.quarantined), 'workload')} in quarantine"


def _count(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of}s"


def _check(check: Check) -> schemas.HealthCheck:
    return {"name": check.name, "ok": check.ok, "message": check.message}


def _source(source: SourceHealth) -> schemas.SourceStatus:
    return {
        "name": source.name,
        "ok": source.ok,
        "message": source.message,
        "queries": source.queries,
        "failed": source.failed,
        "seconds": round(source.elapsed_s, 3),
    }


def _signals(report: TickReport) -> schemas.SignalsStatus:
    readings = report.decision.readings
    counts = np.bincount(readings.status, minlength=len(Status))
    there = readings.age_s[readings.status != Status.MISSING]
    return {
        "byStatus": {each.name.lower(): int(counts[each]) for each in Status},
        "oldestSeconds": float(there.max()) if there.size else None,
    }

"""Alerts about Foresail itself: whether it runs, sees, acts and remembers."""

from __future__ import annotations

from alerts.rule import Alert, Group, Severity, largest, total
from policies import signals

# Twenty ticks of the usual 15 s; three scrapes of a source that is scraped every minute.
STALLED_S = 300
STALE_SOURCE_S = 180

_FAILED = " or ".join(signals.ACTUATIONS.increase("10m", result=result) for result in ("rejected", "unavailable"))

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailAbsent",
        expr=f"absent({signals.BUILD.value()})",
        severity=Severity.CRITICAL,
        summary="Foresail is not running or is not scraped.",
        description="No instance of Foresail has been seen for 5 minutes: no workload is scaled by it."
        " First see whether its pod runs, then whether Prometheus scrapes it.",
        wait="5m",
        labels=(),
    ),
    Alert(
        name="ForesailLoopStalled",
        expr=f"{largest(signals.LOOP_LAST_SUCCESS)} < time() - {STALLED_S}",
        severity=Severity.CRITICAL,
        summary="Foresail runs but its loop does not come to an end.",
        description="The last tick ended at {{ $value | humanizeTimestamp }} (1970: none has since the start), over"
        f" {STALLED_S} s ago: workloads keep the replicas they have. First read the log for the phase that hangs.",
        wait="2m",
    ),
    Alert(
        name="ForesailSourceStale",
        expr=f"{largest(signals.SOURCE_LAST_SAMPLE, 'source')} < time() - {STALE_SOURCE_S}",
        severity=Severity.CRITICAL,
        summary="A source of metrics serves old samples only.",
        description="The newest sample from {{ $labels.source }} was measured at {{ $value | humanizeTimestamp }}, over"
        f" {STALE_SOURCE_S} s ago: nothing is lowered, and no rise in load is seen. First query the source by hand.",
        wait="5m",
        labels=("cluster", "source"),
    ),
    Alert(
        name="ForesailActuationFailing",
        expr=f"{total(_FAILED, 'kind')} > 0",
        severity=Severity.CRITICAL,
        summary="Changes that Foresail decides on are not carried out.",
        description='About {{ $value | printf "%.0f" }} changes of kind {{ $labels.kind }} were rejected or found no'
        " API server in 10 minutes. First read the daemon's log for the message of the API server.",
        wait="10m",
        labels=("cluster", "kind"),
    ),
    Alert(
        name="ForesailSafeModeActive",
        expr=f"{largest(signals.SAFE_MODE, 'reason')} == 1",
        severity=Severity.WARNING,
        summary="Foresail is in safe mode.",
        description="Workloads are held for 5 minutes now: {{ $labels.reason }} (kill_switch: set, or not readable;"
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh)."
        " First see whether somebody meant it.",
        wait="5m",
        labels=("cluster", "reason"),
    ),
    Alert(
        name="ForesailJournalFailing",
        expr=f"{total(signals.JOURNAL_WRITE_FAILURES.increase('5m'))}"
        f" + {total(signals.JOURNAL_DROPPED.increase('5m'))} > 0",
        severity=Severity.WARNING,
        summary="Foresail cannot write its journal.",
        description='About {{ $value | printf "%.0f" }} writes failed or ticks were given up in 5 minutes: scaling goes'
        " on, but a restart now forgets what was not written. First look at the database's disk and connection.",
        wait="10m",
    ),
    Alert(
        name="ForesailWatchdog",
        expr="vector(1)",
        severity=Severity.NONE,
        summary="Always fires, to show that alerts arrive.",
        description="Route it to a service that calls when it stops coming.",
        labels=(),
    ),
)

GROUPS = (Group("foresail-health", ALERTS),)

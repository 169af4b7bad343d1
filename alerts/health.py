"""Alerts about Foresail itself: whether it runs, sees, acts and remembers."""

from __future__ import annotations

from alerts.rule import Alert, Group, Severity, either, every, largest, total
from policies import signals
from policies.forecast import exported as foretold

# Twenty ticks of the usual 15 s; three scrapes of a source that is scraped every minute.
STALLED_S = 300
STALE_SOURCE_S = 180
SLOW_TICK_S = 12
UNPUBLISHED_S = 3600
OLD_FIT_S = 3 * 86_400
BAND_MISSES = 0.1
FAILED_SHARE = 0.2

_DASHBOARD = "foresail-self"
# Over six hours, so that an instance which is gone is still known to have been there.
_LAST_TICK = f"max by (cluster) ({signals.LOOP_LAST_SUCCESS.largest('6h')})"
_FAILED = " or ".join(signals.ACTUATIONS.increase("10m", result=result) for result in ("rejected", "unavailable"))
_FAILED_QUERIES = total(signals.SOURCE_QUERIES.rate("10m", result="failure"), "source")
_QUERIES = total(signals.SOURCE_QUERIES.rate("10m"), "source")
_SLOW_TICK = signals.LOOP_DURATION.quantile(0.99, "15m", by=("cluster",), phase="tick")
_UNDELIVERED = total(" or ".join(signals.MESSAGES.increase("15m", result=each) for each in ("dropped", "rejected")))
_COVERAGE = largest(foretold.OUTLOOK_COVERAGE, "horizon")

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailNoActor",
        expr=either(f"time() - {_LAST_TICK} > {STALLED_S}", f"absent({signals.LOOP_LAST_SUCCESS.value()})"),
        severity=Severity.CRITICAL,
        summary="No instance of Foresail comes to the end of a tick: nothing is scaled by it.",
        description="{{ if lt $value 2.0 }}Prometheus sees no instance of Foresail{{ else }}The last tick ended"
        " {{ $value | humanizeDuration }} ago (years: none has since the start){{ end }}: workloads keep the replicas"
        " they have. First see whether its pod runs and is scraped, then read its log for the phase that hangs.",
        wait="3m",
        dashboard=_DASHBOARD,
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
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailSourceStale",
        expr=f"{largest(signals.SOURCE_LAST_SAMPLE, 'source')} < time() - {STALE_SOURCE_S}",
        severity=Severity.WARNING,
        summary="A source of metrics serves old samples only.",
        description="The newest sample from {{ $labels.source }} was measured at {{ $value | humanizeTimestamp }}, over"
        f" {STALE_SOURCE_S} s ago: nothing is lowered, and no rise in load is seen. First query the source by hand.",
        wait="5m",
        labels=("cluster", "source"),
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailSourceQueriesFailing",
        expr=f"{_FAILED_QUERIES}\n/\n{_QUERIES} > {FAILED_SHARE}",
        severity=Severity.WARNING,
        summary="A source of metrics does not answer a good part of the queries.",
        description="{{ $value | humanizePercentage }} of the queries of {{ $labels.source }} failed over 10 minutes:"
        " the workloads that need them are held. First read `problems` in /api/v1/health for what it answers.",
        wait="10m",
        labels=("cluster", "source"),
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailLoopSlow",
        expr=f"{_SLOW_TICK} > {SLOW_TICK_S}",
        severity=Severity.WARNING,
        summary="Ticks take nearly as long as there is from one to the next.",
        description="One tick in a hundred takes {{ $value | humanizeDuration }} or more; with the usual interval of"
        " 15 s decisions begin to come late. First see on the dashboard which phase it is.",
        wait="15m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailUnhandledErrors",
        expr=f"{total(signals.UNHANDLED_ERRORS.increase('1h'))} > 0",
        severity=Severity.WARNING,
        summary="Faults ended in the loop's supervisor: a defect of Foresail.",
        description='About {{ $value | printf "%.0f" }} faults in the last hour were caught by nothing but the'
        " supervisor. First keep the log: the stack traces in it are what a report needs.",
        wait="2m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailWorkloadsQuarantined",
        expr=f"{largest(signals.QUARANTINED)} > 0",
        severity=Severity.WARNING,
        summary="Workloads are set apart, because their own decision failed.",
        description="{{ $value }} workloads are held for ten minutes at a time, as deciding on them failed; the others"
        " go on. First see `foresail status` for which, and what failed.",
        wait="5m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailSafeModeActive",
        expr=f"{largest(signals.SAFE_MODE, 'reason')} == 1",
        severity=Severity.WARNING,
        summary="Foresail is in safe mode.",
        description="Workloads are held for 5 minutes now: {{ $labels.reason }} (kill_switch: set, or not readable;"
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh; paused_by_operator: a"
        " pause of all). First see whether somebody meant it.",
        wait="5m",
        labels=("cluster", "reason"),
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailPolicyRefused",
        expr=f"{largest(signals.POLICIES, state='invalid')} > 0",
        severity=Severity.WARNING,
        summary="Policies have problems; of each the last good version stands, or none.",
        description="{{ $value }} problems were found in the policies. First read them with"
        " `foresail policy validate`, or under `problems` in /api/v1/health.",
        wait="10m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailJournalFailing",
        expr=f"{total(signals.JOURNAL_WRITE_FAILURES.increase('5m'))}"
        f" + {total(signals.JOURNAL_DROPPED.increase('5m'))} > 0",
        severity=Severity.WARNING,
        summary="Foresail cannot write its journal.",
        description='About {{ $value | printf "%.0f" }} writes failed or ticks were given up in 5 minutes: rises go on'
        " and falls wait, and a restart now forgets what was not written. First look at the database's disk and"
        " connection.",
        wait="10m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailPublishFailing",
        expr=f"time() - {largest(signals.PUBLISH_LAST_SUCCESS, 'target')} > {UNPUBLISHED_S}",
        severity=Severity.WARNING,
        summary="Dashboards or rules are not what Foresail renders.",
        description="{{ $labels.target }} was last brought up to date {{ $value | humanizeDuration }} ago (years: never"
        " since the start). First see `foresail_publish_writes_total` for how its writes end.",
        wait="10m",
        labels=("cluster", "target"),
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailMessagesLost",
        expr=f"{_UNDELIVERED} > 0",
        severity=Severity.WARNING,
        summary="Messages for the webhook were dropped or refused.",
        description='About {{ $value | printf "%.0f" }} messages in 15 minutes never reached the receiver of the'
        " webhook. First see in the log what it answers.",
        wait="5m",
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailForecastStale",
        expr=f"time() - ({largest(foretold.OUTLOOK_OLDEST_FIT)} > 0) > {OLD_FIT_S}",
        severity=Severity.WARNING,
        summary="What is told of the next week rests on old fits.",
        description="The oldest fit was made {{ $value | humanizeDuration }} ago; workloads should be fitted anew each"
        " day. First see in the log whether the worker process ends or runs out of memory.",
        wait="30m",
        dashboard="foresail-forecast",
    ),
    Alert(
        name="ForesailForecastBandMiscalibrated",
        expr=every(f"abs({_COVERAGE} - 0.95) > {BAND_MISSES}", f"{largest(foretold.OUTLOOK_OLDEST_FIT)} > 0").replace(
            "\nand\n", "\nand on (cluster)\n"
        ),
        severity=Severity.INFO,
        summary="Loads fall below the forecast's 0.95 quantile much more or less often than they should.",
        description="{{ $labels.horizon }} ahead, the share of loads at or below the 0.95 quantile is"
        " {{ $value | humanizePercentage }} away from 95 %. First see on the dashboard since when; no decision rests on"
        " it.",
        wait="360m",
        labels=("cluster", "horizon"),
        dashboard="foresail-forecast",
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

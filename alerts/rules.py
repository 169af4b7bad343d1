"""The Prometheus alert rules about Foresail itself and the workloads it watches, rendered from the signal catalogue."""

from __future__ import annotations

from alerts.rule import Alert, Group, Severity
from alerts.rule import largest as _largest
from alerts.rule import total as _total
from policies import signals

# Twenty ticks of the usual 15 s; three scrapes of a source that is scraped every minute.
STALLED_S = 300
STALE_SOURCE_S = 180
MAXIMUM_AHEAD_S = 3 * 86_400

_WORKLOAD = ("namespace", "workload")
_FAILED = " or ".join(signals.ACTUATIONS.increase("10m", result=result) for result in ("rejected", "unavailable"))
_AT_MAX = f"{_largest(signals.DESIRED_REPLICAS, *_WORKLOAD)} == {_largest(signals.MAX_REPLICAS, *_WORKLOAD)}"
_TO_MAX = _largest(signals.OUTLOOK_ABOVE_MAX, *_WORKLOAD, "bound", quantile="0.5")
_NOT_FIXED = f"{_largest(signals.MAX_REPLICAS, *_WORKLOAD)} != {_largest(signals.MIN_REPLICAS, *_WORKLOAD)}"
_LATE = _largest(signals.REALISED_LATE, *_WORKLOAD)
_OVER_BUDGET = f"{_LATE} > {_largest(signals.LATE_BUDGET, *_WORKLOAD)}"
_NOT_FALLING = f"{_LATE} >= {_largest(signals.REALISED_LATE, *_WORKLOAD, ago='1d')}"
_PROVEN = f"{_largest(signals.EVIDENCE, *_WORKLOAD)} >= 1"
_ACTING = _largest(signals.WORKLOAD_INFO, *_WORKLOAD, mode="active")

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
        expr=f"{_largest(signals.LOOP_LAST_SUCCESS)} < time() - {STALLED_S}",
        severity=Severity.CRITICAL,
        summary="Foresail runs but its loop does not come to an end.",
        description="The last tick ended at {{ $value | humanizeTimestamp }} (1970: none has since the start), over"
        f" {STALLED_S} s ago: workloads keep the replicas they have. First read the log for the phase that hangs.",
        wait="2m",
    ),
    Alert(
        name="ForesailSourceStale",
        expr=f"{_largest(signals.SOURCE_LAST_SAMPLE, 'source')} < time() - {STALE_SOURCE_S}",
        severity=Severity.CRITICAL,
        summary="A source of metrics serves old samples only.",
        description="The newest sample from {{ $labels.source }} was measured at {{ $value | humanizeTimestamp }}, over"
        f" {STALE_SOURCE_S} s ago: nothing is lowered, and no rise in load is seen. First query the source by hand.",
        wait="5m",
        labels=("cluster", "source"),
    ),
    Alert(
        name="ForesailActuationFailing",
        expr=f"{_total(_FAILED, 'kind')} > 0",
        severity=Severity.CRITICAL,
        summary="Changes that Foresail decides on are not carried out.",
        description='About {{ $value | printf "%.0f" }} changes of kind {{ $labels.kind }} were rejected or found no'
        " API server in 10 minutes. First read the daemon's log for the message of the API server.",
        wait="10m",
        labels=("cluster", "kind"),
    ),
    Alert(
        name="ForesailSafeModeActive",
        expr=f"{_largest(signals.SAFE_MODE, 'reason')} == 1",
        severity=Severity.WARNING,
        summary="Foresail is in safe mode.",
        description="Workloads are held for 5 minutes now: {{ $labels.reason }} (kill_switch: set, or not readable;"
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh)."
        " First see whether somebody meant it.",
        wait="5m",
        labels=("cluster", "reason"),
    ),
    Alert(
        name="ForesailMaxedOut",
        expr=f"({_AT_MAX})\nand\n({_NOT_FIXED})",
        severity=Severity.WARNING,
        summary="A workload has been at its upper bound for 15 minutes.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} asks for {{ $value }} replicas, all that its policy"
        " allows. First compare its load with what these replicas serve; raise the bound if load needs more.",
        wait="15m",
        labels=("cluster", *_WORKLOAD),
    ),
    Alert(
        name="ForesailBudgetBinds",
        expr=f"{_largest(signals.BUDGET_WITHHELD, *_WORKLOAD)} > 0",
        severity=Severity.WARNING,
        summary="A budget has left a workload less than it asks for, for 15 minutes.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} asks for {{ $value }} replicas more than a budget"
        " of money or GPUs leaves it. First read with `foresail explain` whose budget that is and who keeps the rest.",
        wait="15m",
        labels=("cluster", *_WORKLOAD),
    ),
    Alert(
        name="ForesailGPUIdle",
        expr=f"{_largest(signals.GPU_IDLE, *_WORKLOAD)} > 0",
        severity=Severity.WARNING,
        summary="A workload has GPUs that it has not used for hours.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} has {{ $value }} GPUs that did nothing for three"
        " hours. First see with `foresail recommend gpus -n {{ $labels.namespace }}` which those are and what they"
        " cost.",
        wait="120m",
        labels=("cluster", *_WORKLOAD),
    ),
    Alert(
        name="ForesailObjectiveMissed",
        expr="\nand\n".join(f"({part})" for part in (_OVER_BUDGET, _NOT_FALLING, _PROVEN, _ACTING)),
        severity=Severity.WARNING,
        summary="More of a workload's load comes late than its objective allows.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} served {{ $value | humanizePercentage }} of its"
        " load late over about two weeks, more than may, and no smaller a share in the last day. First see on the"
        " dashboard whether it is at its upper bound, then compare what is late in shadow with what really is.",
        wait="60m",
        labels=("cluster", *_WORKLOAD),
    ),
    Alert(
        name="ForesailCapacityContradicted",
        expr=f"{_largest(signals.CAPACITY_SEEN, *_WORKLOAD)} < 1",
        severity=Severity.WARNING,
        summary="A workload queues or is late at a load that its policy declares to be served in time.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} queued or was late, with all replicas ready, at"
        " {{ $value | humanizePercentage }} of the load that its policy says they serve in time. First measure it with"
        " `foresail calibrate`, then correct capacityPerReplica or servingLimit.",
        wait="15m",
        labels=("cluster", *_WORKLOAD),
    ),
    Alert(
        name="ForesailMaximumAhead",
        expr=f"clamp_min({_TO_MAX} - time(), 0) < {MAXIMUM_AHEAD_S}",
        severity=Severity.WARNING,
        summary="A workload will need more than its maximum or its quota allows within three days.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} is more likely than not to need more replicas than"
        " its {{ $labels.bound }} allows in {{ $value | humanizeDuration }}. First see whether load grows or an event"
        " comes; raise the policy's maximum or the namespace's quota in time, after seeing that there are nodes and"
        " budget for it.",
        wait="60m",
        labels=("cluster", *_WORKLOAD, "bound"),
    ),
    Alert(
        name="ForesailJournalFailing",
        expr=f"{_total(signals.JOURNAL_WRITE_FAILURES.increase('5m'))}"
        f" + {_total(signals.JOURNAL_DROPPED.increase('5m'))} > 0",
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


GROUPS = (Group("foresail", ALERTS),)

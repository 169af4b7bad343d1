"""Alerts about the workloads that Foresail scales: what they ask for and cannot have, and what comes late."""

from __future__ import annotations

from alerts.rule import WORKLOAD, Alert, Group, Severity, every, largest, of_workload
from policies import signals

MAXIMUM_AHEAD_S = 3 * 86_400

_AT_MAX = f"{of_workload(signals.DESIRED_REPLICAS)} == {of_workload(signals.MAX_REPLICAS)}"
_NOT_FIXED = f"{of_workload(signals.MAX_REPLICAS)} != {of_workload(signals.MIN_REPLICAS)}"
_TO_MAX = largest(signals.OUTLOOK_ABOVE_MAX, *WORKLOAD, "bound", quantile="0.5")
_LATE = of_workload(signals.REALISED_LATE)
_OVER_BUDGET = f"{_LATE} > {of_workload(signals.LATE_BUDGET)}"
_NOT_FALLING = f"{_LATE} >= {largest(signals.REALISED_LATE, *WORKLOAD, ago='1d')}"
_PROVEN = f"{of_workload(signals.EVIDENCE)} >= 1"
_ACTING = of_workload(signals.WORKLOAD_INFO, mode="active")

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailMaxedOut",
        expr=every(_AT_MAX, _NOT_FIXED),
        severity=Severity.WARNING,
        summary="A workload has been at its upper bound for 15 minutes.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} asks for {{ $value }} replicas, all that its policy"
        " allows. First compare its load with what these replicas serve; raise the bound if load needs more.",
        wait="15m",
        labels=("cluster", *WORKLOAD),
    ),
    Alert(
        name="ForesailObjectiveMissed",
        expr=every(_OVER_BUDGET, _NOT_FALLING, _PROVEN, _ACTING),
        severity=Severity.WARNING,
        summary="More of a workload's load comes late than its objective allows.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} served {{ $value | humanizePercentage }} of its"
        " load late over about two weeks, more than may, and no smaller a share in the last day. First see on the"
        " dashboard whether it is at its upper bound, then compare what is late in shadow with what really is.",
        wait="60m",
        labels=("cluster", *WORKLOAD),
    ),
    Alert(
        name="ForesailCapacityContradicted",
        expr=f"{of_workload(signals.CAPACITY_SEEN)} < 1",
        severity=Severity.WARNING,
        summary="A workload queues or is late at a load that its policy declares to be served in time.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} queued or was late, with all replicas ready, at"
        " {{ $value | humanizePercentage }} of the load that its policy says they serve in time. First measure it with"
        " `foresail calibrate`, then correct capacityPerReplica or servingLimit.",
        wait="15m",
        labels=("cluster", *WORKLOAD),
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
        labels=("cluster", *WORKLOAD, "bound"),
    ),
)

GROUPS = (Group("foresail-workloads", ALERTS),)

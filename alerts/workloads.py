"""Alerts about the workloads that Foresail scales: what they ask for and cannot have, and what comes late."""

from __future__ import annotations

from alerts.rule import WORKLOAD, Alert, Group, Severity, either, every, largest, of_workload
from policies import signals
from policies.forecast import exported as foretold

# By the median three days before: time to ask for quota. By the 0.9 quantile one day before: time to raise a bound.
MEDIAN_AHEAD_S = 3 * 86_400
TENTH_AHEAD_S = 86_400
MOST_TURNS = 6
_OTHERS = 2

_DASHBOARD = "foresail-workload"
_LABELS = ("cluster", *WORKLOAD)
_NAME = "{{ $labels.namespace }}/{{ $labels.workload }}"
_DESIRED = of_workload(signals.DESIRED_REPLICAS)
_READY = of_workload(signals.READY_REPLICAS)
_MAX = of_workload(signals.MAX_REPLICAS)
_NOT_FIXED = f"{_MAX} != {of_workload(signals.MIN_REPLICAS)}"
_ACTING = of_workload(signals.WORKLOAD_INFO, mode="active")
_LATE = of_workload(signals.REALISED_LATE)
_STILL = f"max by (cluster, namespace, workload) (changes({signals.DESIRED_REPLICAS.value()}[15m])) == 0"
_BY_OTHER = of_workload(signals.LAST_CHANGE, by="other")
_EXPECTED = of_workload(foretold.OUTLOOK, horizon="5m", quantile="0.5")


def _above_max(quantile: str, ahead_s: int) -> str:
    """When the bound will be passed at a quantile, where that is near enough; now, where it lies behind."""
    when = largest(foretold.OUTLOOK_ABOVE_MAX, *WORKLOAD, "bound", quantile=quantile)
    return f"clamp_min({when}, time()) < time() + {ahead_s}"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailMaxedOutWhileSaturated",
        expr=every(
            f"{of_workload(signals.SATURATION)} > 1", f"{_DESIRED} >= {_MAX}", f"{_READY} >= {_DESIRED}", _ACTING
        ),
        severity=Severity.CRITICAL,
        summary="A workload has all the replicas that its policy allows, and they are loaded beyond what they should.",
        description=f"{_NAME} is at its upper bound with all replicas ready, and its most pressing signal stands at"
        " {{ $value | humanizePercentage }} of what these should bear. First see on the dashboard whether load grows or"
        " replicas serve less, then raise `replicas.max` or shed load.",
        wait="5m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailFrozenWhileLoadClimbs",
        expr=every(
            f"{_EXPECTED} > {_DESIRED}", f"{of_workload(signals.STALE_SIGNALS)} > 0", f"{_DESIRED} < {_MAX}", _ACTING
        ),
        severity=Severity.CRITICAL,
        summary="A workload is frozen on old data, and its load is expected to need more than it has.",
        description=f"{_NAME} has signals that cannot be read, and by its past it needs"
        ' {{ $value | printf "%.1f" }} replicas within 5 minutes, more than are asked for. First see with'
        " `foresail explain` which signal is old, and scale by hand while it is.",
        wait="5m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailMaxedOut",
        expr=every(f"{_DESIRED} == {_MAX}", _NOT_FIXED),
        severity=Severity.WARNING,
        summary="A workload has been at its upper bound for 15 minutes.",
        description=f"{_NAME} asks for {{{{ $value }}}} replicas, all that its policy"
        " allows. First compare its load with what these replicas serve; raise the bound if load needs more.",
        wait="15m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailReplicasMismatch",
        expr=every(f"{_DESIRED} - {_READY} > 0", _STILL),
        severity=Severity.WARNING,
        summary="Replicas that a workload asks for do not become ready.",
        description=f"{_NAME} lacks {{{{ $value }}}} of the replicas that it has asked for, for 15 minutes at least."
        " First see why its pods are not ready: `kubectl get pods` and `kubectl describe`.",
        wait="15m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailCapacityPending",
        expr=f"{of_workload(signals.AWAITS_NODE)} > 0",
        severity=Severity.WARNING,
        summary="Pods of a workload have waited for a node for 15 minutes.",
        description=f"{_NAME} has pods for which no node has room. First see in their events what is short, and whether"
        " the cluster autoscaler adds a node.",
        wait="15m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailFlapping",
        expr=f"{of_workload(signals.TURNS)} > {MOST_TURNS}",
        severity=Severity.WARNING,
        summary="A workload's replicas go up and down again and again.",
        description=f"{_NAME} turned {{{{ $value }}}} times in an hour between rising and falling. First see on the"
        " dashboard whether the load does so too, and whose changes they were.",
        wait="10m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailExternalConflict",
        expr=every(f"changes({_BY_OTHER}[1h:1m]) > {_OTHERS}", _ACTING),
        severity=Severity.WARNING,
        summary="Somebody else keeps changing the replicas of a workload that Foresail scales.",
        description=f"The replicas of {_NAME} were changed {{{{ $value }}}} times in an hour by somebody other than"
        " Foresail. First see who: another autoscaler, a GitOps tool or people, in the managedFields of the object.",
        wait="5m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailTargetOwned",
        expr=every(of_workload(signals.DECISION_REASON, reason="owned"), _ACTING),
        severity=Severity.WARNING,
        summary="A workload in mode active is not scaled, because another controller owns its replicas.",
        description=f"{_NAME} is held: another autoscaler, controller or GitOps tool scales it. First read with"
        " `foresail explain` who that is and what the way out is.",
        wait="15m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailSignalsStale",
        expr=f"{of_workload(signals.STALE_SIGNALS)} > 0",
        severity=Severity.WARNING,
        summary="Signals of a workload have been old or missing for 15 minutes.",
        description=f"{_NAME} has {{{{ $value }}}} signals that are old or cannot be read: it is not lowered, and a"
        " rise in its load may not be seen. First read with `foresail explain` which, and why.",
        wait="15m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailHeldByHand",
        expr=either(
            *(
                of_workload(signals.DECISION_REASON, reason=reason)
                for reason in ("paused_by_annotation", "paused_by_operator")
            ),
            f"{of_workload(signals.FIXED_REPLICAS)} >= 0",
        ),
        severity=Severity.INFO,
        summary="A workload has been paused or fixed by hand for a day.",
        description=f"{_NAME} has not been scaled by its load for a day, because somebody paused it or fixed its count."
        " First read with `foresail explain` who and why, and ask whether it is still meant.",
        wait="1440m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailObjectiveMissed",
        expr=every(
            f"{_LATE} > {of_workload(signals.LATE_BUDGET)}",
            f"{_LATE} >= {largest(signals.REALISED_LATE, *WORKLOAD, ago='1d')}",
            f"{of_workload(signals.EVIDENCE)} >= 1",
            _ACTING,
        ),
        severity=Severity.WARNING,
        summary="More of a workload's load comes late than its objective allows.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} served {{ $value | humanizePercentage }} of its"
        " load late over about two weeks, more than may, and no smaller a share in the last day. First see on the"
        " dashboard whether it is at its upper bound, then compare what is late in shadow with what really is.",
        wait="60m",
        labels=_LABELS,
        dashboard=_DASHBOARD,
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
        labels=_LABELS,
        dashboard=_DASHBOARD,
    ),
    Alert(
        name="ForesailMaximumAhead",
        expr=either(_above_max("0.9", TENTH_AHEAD_S), _above_max("0.5", MEDIAN_AHEAD_S)),
        severity=Severity.WARNING,
        summary="A workload will need more than its maximum or its quota allows.",
        description=f"{_NAME} will reach its {{{{ $labels.bound }}}} at {{{{ $value | humanizeTimestamp }}}}, by the"
        " 0.9 quantile of its forecast where that is within a day, else by the median. First see whether load grows or"
        " an event comes; raise the policy's maximum or the namespace's quota in time, after seeing that there are"
        " nodes and budget for it.",
        wait="60m",
        labels=(*_LABELS, "bound"),
        dashboard=_DASHBOARD,
    ),
)

GROUPS = (Group("foresail-workloads", ALERTS),)

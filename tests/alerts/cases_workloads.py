"""Cases of alerts/workloads.py."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

CHANGED = "foresail_replicas_changed_timestamp_seconds"
AHEAD = f"foresail_outlook_above_max_timestamp_seconds{{{CHAT}"

WHO = {"cluster": "a", "namespace": "shop", "workload": "chat"}
WHERE = f"{CLUSTER}&var-namespace=shop&var-workload=chat"


def _active(count: int, mode: str = "active") -> dict[str, str]:
    return {f'foresail_workload_info{{{CHAT},mode="{mode}",in_charge="largest"}}': f"1x{count}"}


def _replicas(desired: str, ready: str, most: str = "8x30") -> dict[str, str]:
    return {
        f"foresail_desired_replicas{{{CHAT}}}": desired,
        f"foresail_ready_replicas{{{CHAT}}}": ready,
        f"foresail_max_replicas{{{CHAT}}}": most,
    }


def _saturated(ratio: str, mode: str = "active", ready: str = "8x30") -> dict[str, str]:
    saturation = {
        f'foresail_saturation_ratio{{{CHAT},signal="rps"}}': ratio,
        f'foresail_saturation_ratio{{{CHAT},signal="queue"}}': "0.2x30",
    }
    return {**_replicas("8x30", ready), **saturation, **_active(30, mode)}


def _frozen(stale: str, expected: str, desired: str = "4x30") -> dict[str, str]:
    return {
        **_replicas(desired, desired),
        **_active(30),
        f"foresail_stale_signals{{{CHAT}}}": stale,
        f'foresail_outlook_replicas{{{CHAT},horizon="5m",quantile="0.5"}}': expected,
    }


FIRING = [
    Case(
        "ForesailMaxedOutWhileSaturated",
        "10m",
        _saturated("1.25x30"),
        WHO,
        "shop/chat is at its upper bound with all replicas ready, and its most pressing signal stands at 125% of what"
        " these should bear. First see on the dashboard whether load grows or replicas serve less, then raise"
        " `replicas.max` or shed load.",
        WHERE,
    ),
    Case(
        "ForesailFrozenWhileLoadClimbs",
        "10m",
        _frozen("1x30", "5.5x30"),
        WHO,
        "shop/chat has signals that cannot be read, and by its past it needs 5.5 replicas within 5 minutes, more than"
        " are asked for. First see with `foresail explain` which signal is old, and scale by hand while it is.",
        WHERE,
    ),
    Case(
        "ForesailReplicasMismatch",
        "40m",
        _replicas("6x50", "4x50"),
        WHO,
        "shop/chat lacks 2 of the replicas that it has asked for, for 15 minutes at least."
        " First see why its pods are not ready: `kubectl get pods` and `kubectl describe`.",
        WHERE,
    ),
    Case(
        "ForesailCapacityPending",
        "20m",
        {f"foresail_awaits_node{{{CHAT}}}": "1x30"},
        WHO,
        "shop/chat has pods for which no node has room. First see in their events what is short, and whether the"
        " cluster autoscaler adds a node.",
        WHERE,
    ),
    Case(
        "ForesailFlapping",
        "90m",
        {f"foresail_replica_turns{{{CHAT}}}": "7x100"},
        WHO,
        "shop/chat turned 7 times in an hour between rising and falling. First see on the dashboard whether the load"
        " does so too, and whose changes they were.",
        WHERE,
    ),
    Case(
        "ForesailExternalConflict",
        "70m",
        {f'{CHANGED}{{{CHAT},by="other"}}': "0x20 1200x9 1800x9 2400x40", **_active(90)},
        WHO,
        # At minutes 21, 31 and 41.
        "The replicas of shop/chat were changed 3 times in an hour by somebody other than Foresail. First see who:"
        " another autoscaler, a GitOps tool or people, in the managedFields of the object.",
        WHERE,
    ),
    Case(
        "ForesailTargetOwned",
        "20m",
        {f'foresail_decision_reason{{{CHAT},reason="owned"}}': "1x30", **_active(30)},
        WHO,
        "shop/chat is held: another autoscaler, controller or GitOps tool scales it. First read with `foresail explain`"
        " who that is and what the way out is.",
        WHERE,
    ),
    Case(
        "ForesailSignalsStale",
        "20m",
        {f"foresail_stale_signals{{{CHAT}}}": "2x30"},
        WHO,
        "shop/chat has 2 signals that are old or cannot be read: it is not lowered, and a rise in its load may not be"
        " seen. First read with `foresail explain` which, and why.",
        WHERE,
    ),
    Case(
        "ForesailHeldByHand",
        "1450m",
        # Fixed first, then paused: it is the same for who waits for it to be scaled.
        {
            f'foresail_fixed_replicas{{{CHAT},by="annotation"}}': "0x700 _x800",
            f'foresail_decision_reason{{{CHAT},reason="paused_by_operator"}}': "_x700 1x800",
        },
        WHO,
        "shop/chat has not been scaled by its load for a day, because somebody paused it or fixed its count. First read"
        " with `foresail explain` who and why, and ask whether it is still meant.",
        WHERE,
    ),
    Case(
        "ForesailMaxedOut",
        "20m",
        {
            f"foresail_desired_replicas{{{CHAT}}}": "8x30",
            f"foresail_max_replicas{{{CHAT}}}": "8x30",
            f"foresail_min_replicas{{{CHAT}}}": "2x30",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat asks for 8 replicas, all that its policy allows."
        " First compare its load with what these replicas serve; raise the bound if load needs more.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailObjectiveMissed",
        "27h",
        # Over the budget since the beginning, and growing: a day ago is known from the 24th hour on.
        {
            f"foresail_realised_late_ratio{{{CHAT}}}": "0.02+0.00001x1700",
            f"foresail_late_budget_ratio{{{CHAT}}}": "0.01x1700",
            f"foresail_tournament_evidence_ratio{{{CHAT}}}": "1x1700",
            f'foresail_workload_info{{{CHAT},mode="active",in_charge="largest"}}': "1x1700",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        # 0.02 + 27 h of 60 minutes, 0.00001 each.
        "shop/chat served 3.62% of its load late over about two weeks, more than may, and no smaller a share in the"
        " last day. First see on the dashboard whether it is at its upper bound, then compare what is late in shadow"
        " with what really is.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailCapacityContradicted",
        "30m",
        {f"foresail_capacity_seen_ratio{{{CHAT}}}": "0.7x40"},
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat queued or was late, with all replicas ready, at 70% of the load that its policy says they serve in"
        " time. First measure it with `foresail calibrate`, then correct capacityPerReplica or servingLimit.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailMaximumAhead",
        "70m",
        {
            # A standby tells an older value. The median passes it later, and says nothing more.
            f'{AHEAD},pod="x",quantile="0.9",bound="quota"}}': "79999x20 80000x80",
            f'{AHEAD},pod="y",quantile="0.9",bound="quota"}}': "76000x100",
            f'{AHEAD},pod="x",quantile="0.5",bound="quota"}}': "177000x100",
        },
        {**WHO, "bound": "quota"},
        # 80,000 s are 22 h 13 min 20 s.
        "shop/chat will reach its quota at 1970-01-01 22:13:20 +0000 UTC, by the 0.9 quantile of its forecast where"
        " that is within a day, else by the median. First see whether load grows or an event comes; raise the policy's"
        " maximum or the namespace's quota in time, after seeing that there are nodes and budget for it.",
        WHERE,
    ),
    Case(
        "ForesailMaximumAhead",
        "70m",
        {
            f'{AHEAD},quantile="0.9",bound="maximum"}}': "100000x100",
            f'{AHEAD},quantile="0.5",bound="maximum"}}': "180000x100",
        },
        {**WHO, "bound": "maximum"},
        # 180,000 s are two days and two hours.
        "shop/chat will reach its maximum at 1970-01-03 02:00:00 +0000 UTC, by the 0.9 quantile of its forecast where"
        " that is within a day, else by the median. First see whether load grows or an event comes; raise the policy's"
        " maximum or the namespace's quota in time, after seeing that there are nodes and budget for it.",
        WHERE,
    ),
]


def _late(late: str, *, budget: str = "0.01x1700", evidence: str = "1x1700", mode: str = "active") -> Case:
    """A workload of which so much came late, by the time that the case that fires does."""
    series = {
        f"foresail_realised_late_ratio{{{CHAT}}}": late,
        f"foresail_late_budget_ratio{{{CHAT}}}": budget,
        f"foresail_tournament_evidence_ratio{{{CHAT}}}": evidence,
        f'foresail_workload_info{{{CHAT},mode="{mode}",in_charge="largest"}}': "1x1700",
    }
    return Case("ForesailObjectiveMissed", "27h", series)


GROWING = "0.02+0.00001x1700"

SILENT = [
    pytest.param(
        Case("ForesailMaxedOutWhileSaturated", "20m", _saturated("0.99x30")),
        id="maxed-out-not-saturated-within-its-capacity",
    ),
    pytest.param(
        Case("ForesailMaxedOutWhileSaturated", "20m", _saturated("1.25x30", mode="shadow")),
        id="saturated-not-in-shadow",
    ),
    pytest.param(
        Case("ForesailMaxedOutWhileSaturated", "20m", _saturated("1.25x30", ready="7x30")),
        id="saturated-not-while-replicas-are-on-their-way",
    ),
    pytest.param(
        Case("ForesailFrozenWhileLoadClimbs", "20m", _frozen("0x30", "5.5x30")), id="frozen-not-while-all-is-fresh"
    ),
    pytest.param(
        Case("ForesailFrozenWhileLoadClimbs", "20m", _frozen("1x30", "3.9x30")), id="frozen-not-while-enough-is-there"
    ),
    pytest.param(
        Case("ForesailFrozenWhileLoadClimbs", "20m", _frozen("1x30", "9x30", "8x30")),
        id="frozen-not-at-the-upper-bound",
    ),
    pytest.param(
        Case("ForesailReplicasMismatch", "40m", _replicas("4+1x50", "2+1x50")),
        id="mismatch-not-while-it-is-being-scaled",
    ),
    pytest.param(
        Case("ForesailReplicasMismatch", "40m", _replicas("6x50", "6x20 4x9 6x20")), id="mismatch-not-for-ten-minutes"
    ),
    pytest.param(
        Case("ForesailCapacityPending", "30m", {f"foresail_awaits_node{{{CHAT}}}": "1x10 0x5 1x14"}),
        id="capacity-pending-not-where-a-node-comes",
    ),
    pytest.param(
        Case("ForesailFlapping", "90m", {f"foresail_replica_turns{{{CHAT}}}": "6x100"}),
        id="flapping-not-for-six-turns",
    ),
    pytest.param(
        Case(
            "ForesailExternalConflict",
            "70m",
            {f'{CHANGED}{{{CHAT},by="other"}}': "0x20 1200x19 2400x40", **_active(90)},
        ),
        id="external-conflict-not-for-two-changes",
    ),
    pytest.param(
        Case(
            "ForesailExternalConflict",
            "70m",
            {f'{CHANGED}{{{CHAT},by="other"}}': "0+60x90", **_active(90, "floor")},
        ),
        id="external-conflict-not-where-somebody-else-is-to-scale",
    ),
    pytest.param(
        Case(
            "ForesailTargetOwned",
            "20m",
            {f'foresail_decision_reason{{{CHAT},reason="owned"}}': "1x30", **_active(30, "shadow")},
        ),
        id="owned-not-in-shadow",
    ),
    pytest.param(
        Case("ForesailSignalsStale", "20m", {f"foresail_stale_signals{{{CHAT}}}": "1x10 0 1x20"}),
        id="signals-stale-not-for-ten-minutes",
    ),
    pytest.param(
        Case("ForesailHeldByHand", "1450m", {f'foresail_fixed_replicas{{{CHAT},by="override"}}': "4x1000 _x20 4x500"}),
        id="held-by-hand-not-where-it-was-free-meanwhile",
    ),
    pytest.param(
        Case("ForesailCapacityContradicted", "20m", {f"foresail_capacity_seen_ratio{{{CHAT}}}": "0.7x9 _x20"}),
        id="capacity-contradicted-not-for-ten-minutes",
    ),
    pytest.param(_late(GROWING, budget="0.05x1700"), id="objective-missed-not-within-the-budget"),
    pytest.param(_late("0.03-0.00001x1700"), id="objective-missed-not-while-the-share-falls"),
    pytest.param(_late(GROWING, evidence="0.9x1700"), id="objective-missed-not-while-evidence-is-thin"),
    pytest.param(_late(GROWING, mode="shadow"), id="objective-missed-not-for-what-somebody-else-scales"),
    pytest.param(
        Case(
            "ForesailMaxedOut",
            "30m",
            {
                f"foresail_desired_replicas{{{CHAT}}}": "4x30",
                f"foresail_max_replicas{{{CHAT}}}": "4x30",
                f"foresail_min_replicas{{{CHAT}}}": "4x30",
            },
        ),
        id="maxed-out-not-where-the-policy-fixes-the-replicas",
    ),
    pytest.param(
        Case(
            "ForesailMaxedOut",
            "30m",
            {
                f"foresail_desired_replicas{{{CHAT}}}": "7x30",
                f"foresail_max_replicas{{{CHAT}}}": "8x30",
                f"foresail_min_replicas{{{CHAT}}}": "2x30",
            },
        ),
        id="maxed-out-not-one-below-the-bound",
    ),
    pytest.param(
        Case(
            "ForesailMaximumAhead",
            "90m",
            {
                # 90 minutes are 5,400 s: a day later are 91,800, three days later 264,600.
                f'{AHEAD},quantile="0.9",bound="maximum"}}': "100000x100",
                f'{AHEAD},quantile="0.5",bound="maximum"}}': "300000x100",
            },
        ),
        id="maximum-ahead-not-for-a-tenths-chance-in-over-a-day-nor-beyond-three-days",
    ),
    pytest.param(
        Case(
            "ForesailMaximumAhead",
            "90m",
            {f'{AHEAD},quantile="0.5",bound="maximum"}}': "100000x40 _x10 100000x50"},
        ),
        id="maximum-ahead-not-for-what-is-not-told-for-an-hour",
    ),
]

"""Cases of alerts/workloads.py."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

AHEAD = f"foresail_outlook_above_max_timestamp_seconds{{{CHAT}"

FIRING = [
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
            # A standby tells an older value.
            f'{AHEAD},pod="x",quantile="0.5",bound="quota"}}': "176999x20 177000x80",
            f'{AHEAD},pod="y",quantile="0.5",bound="quota"}}': "176000x100",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat", "bound": "quota"},
        # 177,000 s less the 4,200 s of 70 minutes are two days.
        "shop/chat is more likely than not to need more replicas than its quota allows in 2d 0h 0m 0s. First see"
        " whether load grows or an event comes; raise the policy's maximum or the namespace's quota in time, after"
        " seeing that there are nodes and budget for it.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
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
                f'{AHEAD},quantile="0.9",bound="maximum"}}': "100000x100",
                f'{AHEAD},quantile="0.5",bound="maximum"}}': "300000x100",
            },
        ),
        id="maximum-ahead-not-for-a-tenths-chance-nor-beyond-three-days",
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

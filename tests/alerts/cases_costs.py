"""Cases of alerts/costs.py."""

from dataclasses import replace

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

LABELS = {"cluster": "a", "namespace": "shop", "workload": "chat"}
VARIABLES = f"{CLUSTER}&var-namespace=shop&var-workload=chat"
INTERRUPTIONS = 'foresail_spot_interruptions_total{cluster="a",zone="eu-1a"}'
STORM = (
    "About {} spot replicas in zone eu-1a were taken back in 15 minutes."
    " First see whether their workloads' ready replicas still cover their load."
)


def _about_chat(alert: str, at: str, series: dict[str, str], described: str) -> Case:
    return Case(alert, at, series, LABELS, described, VARIABLES)


def _storm(series: dict[str, str], count: int) -> Case:
    labels = {"cluster": "a", "zone": "eu-1a"}
    return Case("ForesailSpotInterruptionStorm", "30m", series, labels, STORM.format(count), CLUSTER)


def _above(namespace: str, resource: str, described: str) -> Case:
    series = {f'foresail_budget_used_ratio{{cluster="a",namespace="{namespace}",resource="{resource}"}}': "1.25x60"}
    labels = {"cluster": "a", "resource": resource} | ({"namespace": namespace} if namespace else {})
    return Case("ForesailCostAboveBudget", "40m", series, labels, described, f"{CLUSTER}&var-namespace={namespace}")


def _saved(
    paid: str, *, promised: str = "8x400", mode: str = "active", evidence: str = "1x400", described: str = ""
) -> Case:
    """Four days of a workload whose former autoscaler has 10 replicas in shadow, at 2 an hour: a cost of 20."""
    series = {
        f'foresail_candidate_replicas{{{CHAT},candidate="incumbent"}}': "10x400",
        f'foresail_price_usd_per_replica_hour{{{CHAT},capacity_type="any"}}': "2x400",
        f'foresail_cost_usd_per_hour{{{CHAT},capacity_type="any"}}': paid,
        f'foresail_savings_usd_per_hour{{{CHAT},against="incumbent"}}': promised,
        f"foresail_tournament_evidence_ratio{{{CHAT}}}": evidence,
        f'foresail_workload_info{{{CHAT},mode="{mode}",in_charge="largest"}}': "1x400",
    }
    return replace(_about_chat("ForesailSavingsBelowPromise", "96h", series, described), each="15m")


FIRING = [
    _about_chat(
        "ForesailBudgetBinds",
        "20m",
        {f"foresail_budget_withheld_replicas{{{CHAT}}}": "2x30"},
        "shop/chat asks for 2 replicas more than a budget of money or GPUs leaves it."
        " First read with `foresail explain` whose budget that is and who keeps the rest.",
    ),
    _about_chat(
        "ForesailGPUQuotaBinds",
        "20m",
        {f"foresail_gpu_quota_withheld_replicas{{{CHAT}}}": "3x30"},
        "shop/chat asks for 3 replicas more than the GPU quotas of its namespace leave it."
        " First read with `foresail explain` which quota that is, then see who else in the namespace has GPUs.",
    ),
    _above(
        "shop",
        "gpus",
        "Namespace shop takes 125% of its budget of gpus."
        " First see which of its workloads are held, in shadow, or at a minimum: those give nothing back.",
    ),
    _above(
        "",
        "usd_per_hour",
        "The fleet takes 125% of its budget of usd_per_hour."
        " First see which of its workloads are held, in shadow, or at a minimum: those give nothing back.",
    ),
    # Of a promise of 8, only 20 - 18 are there.
    _saved(
        "18x400",
        described="shop/chat keeps 25% of the savings that its candidate in charge shows in shadow against the"
        " incumbent; below 0 it costs more than that would. First read with `foresail explain` which rule raises it"
        " above the candidate's order.",
    ),
    # The first series of a zone begins with its first interruptions.
    _storm({INTERRUPTIONS: "_x20 4x20"}, 4),
    # Fifteen minutes of one each three.
    _storm({INTERRUPTIONS: "0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7 8 8 8 9 9 9 10 10 10 11"}, 5),
    _about_chat(
        "ForesailSpotMissing",
        "40m",
        {f"foresail_spot_missing_replicas{{{CHAT}}}": "2x60"},
        "shop/chat still misses 2 replicas that were taken back. First see whether its pods wait for a node, then"
        " whether there is on-demand capacity and quota for them.",
    ),
    _about_chat(
        "ForesailSpotShort",
        "40m",
        {
            f"foresail_spot_short_ratio{{{CHAT}}}": "0.02x60",
            f"foresail_spot_short_budget_ratio{{{CHAT}}}": "0.005x60",
        },
        "shop/chat was short of 2% of the replicas due of late, more than its policy's spot.short."
        " First compare its zones on the dashboard, then raise its base on demand.",
    ),
    # 90 days are 7,776,000 s; the evaluation is 2 hours after 1970 began.
    _about_chat(
        "ForesailPriceStale",
        "2h",
        {f"foresail_price_timestamp_seconds{{{CHAT}}}": "-7775000x200"},
        "shop/chat is priced as of 1969-10-03 00:16:40 +0000 UTC: what is told of cost, savings and budgets may be"
        " wrong. First compare it with `foresail cost`, then correct objective.prices and its asOf.",
    ),
]

SILENT = [
    pytest.param(
        Case("ForesailBudgetBinds", "30m", {f"foresail_budget_withheld_replicas{{{CHAT}}}": "0x30"}),
        id="budget-binds-not-where-all-is-left",
    ),
    pytest.param(
        Case("ForesailGPUQuotaBinds", "30m", {f"foresail_gpu_quota_withheld_replicas{{{CHAT}}}": "3x9 0x30"}),
        id="gpu-quota-binds-not-for-ten-minutes",
    ),
    pytest.param(
        Case(
            "ForesailCostAboveBudget",
            "60m",
            {'foresail_budget_used_ratio{cluster="a",namespace="shop",resource="gpus"}': "1x90"},
        ),
        id="cost-above-budget-not-where-it-is-just-spent",
    ),
    pytest.param(_saved("14x400"), id="savings-below-promise-not-with-three-quarters-of-it"),
    pytest.param(_saved("19.9x400", promised="0.5x400"), id="savings-below-promise-not-of-a-small-promise"),
    pytest.param(_saved("18x400", mode="shadow"), id="savings-below-promise-not-of-what-somebody-else-scales"),
    pytest.param(_saved("18x400", evidence="0.9x400"), id="savings-below-promise-not-while-evidence-is-thin"),
    pytest.param(_saved("_x200 18x200"), id="savings-below-promise-not-in-the-first-days"),
    pytest.param(
        Case("ForesailSpotInterruptionStorm", "30m", {INTERRUPTIONS: "0x20 2x20"}),
        id="spot-interruption-storm-not-for-two",
    ),
    pytest.param(
        Case("ForesailSpotInterruptionStorm", "60m", {INTERRUPTIONS: "9x90"}),
        id="spot-interruption-storm-not-for-those-of-hours-ago",
    ),
    pytest.param(
        Case("ForesailSpotMissing", "60m", {f"foresail_spot_missing_replicas{{{CHAT}}}": "2x25 0x5 2x25 0x9"}),
        id="spot-missing-not-where-they-are-replaced",
    ),
    pytest.param(
        Case(
            "ForesailSpotShort",
            "60m",
            {
                f"foresail_spot_short_ratio{{{CHAT}}}": "0.005x90",
                f"foresail_spot_short_budget_ratio{{{CHAT}}}": "0.005x90",
            },
        ),
        id="spot-short-not-within-what-the-policy-allows",
    ),
    pytest.param(
        Case("ForesailPriceStale", "2h", {f"foresail_price_timestamp_seconds{{{CHAT}}}": "-7700000x200"}),
        id="price-stale-not-for-three-months",
    ),
]

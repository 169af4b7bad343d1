"""Cases of alerts/costs.py."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

FIRING = [
    Case(
        "ForesailBudgetBinds",
        "20m",
        {f"foresail_budget_withheld_replicas{{{CHAT}}}": "2x30"},
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat asks for 2 replicas more than a budget of money or GPUs leaves it."
        " First read with `foresail explain` whose budget that is and who keeps the rest.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
]

SILENT = [
    pytest.param(
        Case("ForesailBudgetBinds", "30m", {f"foresail_budget_withheld_replicas{{{CHAT}}}": "0x30"}),
        id="budget-binds-not-where-all-is-left",
    ),
]

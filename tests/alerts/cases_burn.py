"""Cases of alerts/burn.py. The SLO is 99.9 % over 30 days: 0.001 * 720 hours may be late, 0.72 hours' worth of load."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

WHO = {"cluster": "a", "namespace": "shop", "workload": "chat"}
WHERE = f"{CLUSTER}&var-namespace=shop&var-workload=chat"


def _burnt(late: str, load: str = "10x5000") -> dict[str, str]:
    return {
        f"namespace_workload:slo_budget:hours{{{CHAT}}}": "0.72x5000",
        f"namespace_workload:slo_late:ratio{{{CHAT}}}": late,
        f"namespace_workload:slo_load{{{CHAT}}}": load,
    }


FIRING = [
    Case(
        "ForesailErrorBudgetBurnFast",
        "90m",
        # 2 % late are 20 times the 0.1 % that may be; 14.4 times is too fast for an hour.
        _burnt("0.02x5000"),
        WHO,
        "shop/chat was late for 2% of its load, and still is: 2 % of its error budget went within an hour, or 5 %"
        " within six. First see on its dashboard whether it lacks replicas; if not, look at what it depends on and at"
        " the last release.",
        WHERE,
    ),
    Case(
        "ForesailErrorBudgetBurnFast",
        "420m",
        # 8 times what may be: too slow for the hour, too fast for six.
        _burnt("0.008x5000"),
        WHO,
        "shop/chat was late for 0.8% of its load, and still is: 2 % of its error budget went within an hour, or 5 %"
        " within six. First see on its dashboard whether it lacks replicas; if not, look at what it depends on and at"
        " the last release.",
        WHERE,
    ),
    Case(
        "ForesailErrorBudgetBurnSlow",
        "1500m",
        # 4 times what may be, for over a day.
        _burnt("0.004x5000"),
        WHO,
        "shop/chat was late for 0.4% of its load: a tenth of its error budget went within a day or three."
        " First see on its dashboard at which hours it is late.",
        WHERE,
    ),
]

SILENT = [
    pytest.param(
        Case("ForesailErrorBudgetBurnFast", "420m", _burnt("0.005x5000")), id="burn-fast-not-at-five-times-the-budget"
    ),
    pytest.param(
        Case("ForesailErrorBudgetBurnFast", "150m", _burnt("0x60 0.05x50 0x100")),
        id="burn-fast-not-for-what-is-over-for-half-an-hour",
    ),
    pytest.param(
        # All that came at night was late, and it was a thousandth of what comes by day.
        Case("ForesailErrorBudgetBurnFast", "130m", _burnt("0x110 1x30", "1000x110 0.1x30")),
        id="burn-fast-not-for-a-few-requests-at-night",
    ),
    pytest.param(
        # Nothing came: the share is 0 / 0, and there is no load.
        Case("ForesailErrorBudgetBurnFast", "90m", _burnt("_x200", "_x200")),
        id="burn-fast-not-where-nothing-comes",
    ),
    pytest.param(
        Case("ForesailErrorBudgetBurnSlow", "1500m", _burnt("0.0009x5000")), id="burn-slow-not-within-the-budget"
    ),
]

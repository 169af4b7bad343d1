"""Cases of alerts/gpus.py."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

FIRING = [
    Case(
        "ForesailGPUIdle",
        "150m",
        {
            f"foresail_gpu_idle_devices{{{CHAT}}}": "4x160",
            'foresail_gpu_idle_devices{cluster="a",namespace="shop",workload="other"}': "0x160",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat has 4 GPUs that did nothing for three hours."
        " First see with `foresail recommend gpus -n shop` which those are and what they cost.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
]

SILENT = [
    pytest.param(
        Case("ForesailGPUIdle", "150m", {f"foresail_gpu_idle_devices{{{CHAT}}}": "4x60 0x5 4x90"}),
        id="gpu-idle-not-where-they-worked-meanwhile",
    ),
]

"""Cases of alerts/gpus.py: on the agent's metrics where not said otherwise, on node n1's GPU 0."""

import pytest

from tests.alerts.case import CHAT, CLUSTER, Case

GPU = 'cluster="a",node="n1",gpu="0",uuid="GPU-1"'
DCGM = 'cluster="a",Hostname="n1",gpu="0",UUID="GPU-1"'
LABELS = {"cluster": "a", "node": "n1", "gpu": "0"}
VARIABLES = f"{CLUSTER}&var-node=n1&var-gpu=0"
IN_POD = 'namespace="shop",pod="chat-1"'
READ = 'foresail_gpu_last_read_timestamp_seconds{cluster="a",node="n1"}'
NODE = 'kube_node_info{cluster="a",node="n1"}'

ECC = (
    "GPU 0 of n1 had about 2 such errors in an hour: what ran there may have ended or be wrong."
    " First cordon the node, then see with `nvidia-smi -q -d ECC,ROW_REMAPPER` what it needs."
)
HEAT = (
    "GPU 0 of n1 was slowed down for heat in {} of the last five minutes: its replicas serve less than their"
    " capacity says. First compare its temperature with its neighbours', then look at fans and air."
)
FULL = (
    "GPU 0 of n1, which shop/chat-1 has, has 98% of its memory in use: the next allocation may fail."
    " First see which process grows, then lower its batch size or the models it loads."
)
BRAKED = (
    "GPU 0 of n1 is told by its power supply to run at half its clocks or less: its replicas serve less than their"
    " capacity says. First look at the machine's power supplies."
)
FAILED = (
    "GPU 0 of n1 has a row that could not be replaced, so that its errors come back."
    " First drain the node, then have the GPU exchanged."
)
PENDING = (
    "GPU 0 of n1 has a row that waits for a reset to be replaced."
    " First choose a time to drain the node and reset the GPU."
)
HOT = (
    "GPU 0 of n1 is at {} degrees Celsius and soon slows down."
    " First compare it with its neighbours', then look at fans and air."
)


def _xid(number: int, at: str, series: dict[str, str]) -> Case:
    described = (
        f"GPU 0 of n1 had XID {number} within the last hour; as DCGM's last XID it stays until a reset."
        " First cordon the node, then read the driver's message there with `dmesg | grep Xid`."
    )
    return Case("ForesailGPUXIDCritical", at, series, {**LABELS, "xid": str(number)}, described, VARIABLES)


def _fault(alert: str, at: str, series: dict[str, str], described: str) -> Case:
    return Case(alert, at, series, LABELS, described, VARIABLES)


def _silent(series: dict[str, str], read: str) -> Case:
    described = (
        f"The GPUs of n1 were last read at {read} (1970: not since the agent started): their faults are not seen, and"
        " what they do is missing data. First see whether its agent's pod runs there and which reason"
        " `foresail_gpu_up` gives."
    )
    labels = {"cluster": "a", "node": "n1"}
    return Case("ForesailGPUAgentSilent", "30m", series, labels, described, f"{CLUSTER}&var-node=n1")


def _full(at: str, series: dict[str, str]) -> Case:
    labels = {**LABELS, "namespace": "shop", "pod": "chat-1"}
    variables = f"{VARIABLES}&var-namespace=shop"
    return Case("ForesailGPUMemoryNearlyFull", at, series, labels, FULL, variables)


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
    # The agent's series begins with its first event; 13 and 31 are the application's own.
    _xid(
        79,
        "30m",
        {
            f'foresail_gpu_xid_errors_total{{{GPU},xid="79"}}': "_x20 1x20",
            f'foresail_gpu_xid_errors_total{{{GPU},xid="31"}}': "_x20 1+1x20",
        },
    ),
    # DCGM counts events of five minutes; an hour later nothing is left of them.
    _xid(
        48,
        "60m",
        {
            f"DCGM_EXP_XID_ERRORS_COUNT{{{DCGM}}}": "0x120",
            f'DCGM_EXP_XID_ERRORS_COUNT{{{DCGM},xid="48",window_size_in_ms="300000"}}': "_x9 1x4 _x100",
            f'DCGM_FI_DEV_XID_ERRORS{{{DCGM},err_code="48"}}': "48x120",
        },
    ),
    # Where it does not count them, the last one stays.
    _xid(119, "10h", {f'DCGM_FI_DEV_XID_ERRORS{{{DCGM},err_code="119"}}': "119x700"}),
    _fault(
        "ForesailGPUECCUncorrectable",
        "30m",
        {
            f'foresail_gpu_ecc_errors_total{{{GPU},kind="uncorrected"}}': "0x15 2x20",
            f'foresail_gpu_ecc_errors_total{{{GPU},kind="corrected"}}': "0+9x35",
        },
        ECC,
    ),
    _fault("ForesailGPUECCUncorrectable", "30m", {f"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{{{DCGM}}}": "0x15 2x20"}, ECC),
    _fault("ForesailGPURowRemapFailed", "5m", {f"foresail_gpu_row_remap_failed{{{GPU}}}": "1x9"}, FAILED),
    _fault("ForesailGPURowRemapFailed", "5m", {f"DCGM_FI_DEV_ROW_REMAP_FAILURE{{{DCGM}}}": "1x9"}, FAILED),
    _fault("ForesailGPURowRemapPending", "15m", {f"foresail_gpu_row_remap_pending{{{GPU}}}": "1x19"}, PENDING),
    _fault("ForesailGPURowRemapPending", "15m", {f"DCGM_FI_DEV_ROW_REMAP_PENDING{{{DCGM}}}": "1x19"}, PENDING),
    _fault(
        "ForesailGPUThermalThrottling",
        "30m",
        {f'foresail_gpu_clock_throttled{{{GPU},reason="hardware_thermal"}}': "1x40"},
        HEAT.format("100%"),
    ),
    # Six seconds, in nanoseconds, of each minute.
    _fault(
        "ForesailGPUThermalThrottling",
        "30m",
        {f"DCGM_FI_DEV_THERMAL_VIOLATION{{{DCGM}}}": "0+6000000000x40"},
        HEAT.format("10%"),
    ),
    _fault(
        "ForesailGPUPowerBrake", "20m", {f'foresail_gpu_clock_throttled{{{GPU},reason="power_brake"}}': "1x30"}, BRAKED
    ),
    _fault(
        "ForesailGPUPowerBrake",
        "20m",
        {f'DCGM_EXP_CLOCK_EVENTS_COUNT{{{DCGM},clock_event="hw_power_brake"}}': "10x30"},
        BRAKED,
    ),
    _fault(
        "ForesailGPUHot",
        "20m",
        # DCGM's later reading of the same GPU adds no second alert.
        {
            f'foresail_gpu_temperature_celsius{{{GPU},sensor="gpu"}}': "88x30",
            f"DCGM_FI_DEV_GPU_TEMP{{{DCGM}}}": "87x30",
        },
        HOT.format("88"),
    ),
    _fault(
        "ForesailGPUHot", "20m", {'DCGM_FI_DEV_GPU_TEMP{cluster="a",hostname="n1",gpu="0"}': "87x30"}, HOT.format(87)
    ),
    _full(
        "20m",
        {
            f"foresail_gpu_memory_used_bytes{{{GPU},{IN_POD}}}": "78.4e9x30",
            f"foresail_gpu_memory_total_bytes{{{GPU},{IN_POD}}}": "80e9x30",
        },
    ),
    # The exporter's own pod stands in `pod` where its labels are not honoured.
    _full(
        "20m",
        {
            f'DCGM_FI_DEV_FB_USED{{{DCGM},exported_namespace="shop",exported_pod="chat-1",pod="dcgm-7"}}': "78400x30",
            f'DCGM_FI_DEV_FB_FREE{{{DCGM},exported_namespace="shop",exported_pod="chat-1",pod="dcgm-7"}}': "1600x30",
        },
    ),
    Case(
        "ForesailGPULost",
        "5m",
        {f'foresail_gpu_up{{{GPU},reason="lost"}}': "0x9"},
        {**LABELS, "reason": "lost"},
        "GPU 0 of n1 is not to be read, for the reason lost: its pods fail."
        " First cordon the node, then read the driver's message there with `dmesg | grep -e Xid -e NVRM`.",
        VARIABLES,
    ),
    # It runs, and no round succeeds.
    _silent({READ: "600x40"}, "1970-01-01 00:10:00 +0000 UTC"),
    # It is gone, from a node that is there.
    _silent({READ: "0+60x15 _x30", NODE: "1x40"}, "1970-01-01 00:15:00 +0000 UTC"),
]

SILENT = [
    pytest.param(
        Case("ForesailGPUIdle", "150m", {f"foresail_gpu_idle_devices{{{CHAT}}}": "4x60 0x5 4x90"}),
        id="gpu-idle-not-where-they-worked-meanwhile",
    ),
    pytest.param(
        Case(
            "ForesailGPUXIDCritical",
            "30m",
            {
                **{f'foresail_gpu_xid_errors_total{{{GPU},xid="{xid}"}}': "0+1x40" for xid in (13, 31, 43, 45, 63, 94)},
                f'DCGM_FI_DEV_XID_ERRORS{{{DCGM},err_code="31"}}': "31x40",
            },
        ),
        id="xid-critical-not-for-what-restarting-the-application-mends",
    ),
    pytest.param(
        Case("ForesailGPUXIDCritical", "3h", {f'foresail_gpu_xid_errors_total{{{GPU},xid="79"}}': "3x200"}),
        id="xid-critical-not-for-events-of-hours-ago",
    ),
    pytest.param(
        Case(
            "ForesailGPUXIDCritical",
            "3h",
            {
                f"DCGM_EXP_XID_ERRORS_COUNT{{{DCGM}}}": "0x200",
                f'DCGM_FI_DEV_XID_ERRORS{{{DCGM},err_code="79"}}': "79x200",
            },
        ),
        id="xid-critical-not-for-the-last-one-where-events-are-counted",
    ),
    pytest.param(
        Case(
            "ForesailGPUECCUncorrectable",
            "30m",
            {
                f'foresail_gpu_ecc_errors_total{{{GPU},kind="corrected"}}': "0+9x40",
                f'foresail_gpu_ecc_errors_total{{{GPU},kind="uncorrected"}}': "7x40",
            },
        ),
        id="ecc-uncorrectable-not-for-corrected-and-old-ones",
    ),
    pytest.param(
        Case("ForesailGPURowRemapFailed", "20m", {f"foresail_gpu_row_remap_failed{{{GPU}}}": "0x30"}),
        id="row-remap-failed-not-where-rows-are-replaced",
    ),
    pytest.param(
        Case("ForesailGPURowRemapPending", "20m", {f"foresail_gpu_row_remap_pending{{{GPU}}}": "1x5 0x30"}),
        id="row-remap-pending-not-after-a-reset",
    ),
    pytest.param(
        Case(
            "ForesailGPUThermalThrottling",
            "30m",
            {
                f'foresail_gpu_clock_throttled{{{GPU},reason="power_cap"}}': "1x40",
                f'foresail_gpu_clock_throttled{{{GPU},reason="thermal"}}': "0x40",
                # Half a second of each minute.
                f"DCGM_FI_DEV_THERMAL_VIOLATION{{{DCGM}}}": "0+500000000x40",
            },
        ),
        id="thermal-throttling-not-for-the-power-cap-nor-for-moments",
    ),
    pytest.param(
        Case("ForesailGPUPowerBrake", "30m", {f'foresail_gpu_clock_throttled{{{GPU},reason="power_cap"}}': "1x40"}),
        id="power-brake-not-for-the-power-cap",
    ),
    pytest.param(
        Case(
            "ForesailGPUHot",
            "30m",
            {
                f'foresail_gpu_temperature_celsius{{{GPU},sensor="gpu"}}': "85x40",
                f'foresail_gpu_temperature_celsius{{{GPU},sensor="memory"}}': "92x40",
            },
        ),
        id="hot-not-at-the-bound-nor-for-the-memory",
    ),
    pytest.param(
        Case(
            "ForesailGPUMemoryNearlyFull",
            "30m",
            {
                f"foresail_gpu_memory_used_bytes{{{GPU},{IN_POD}}}": "78.4e9x40",
                f"foresail_gpu_memory_total_bytes{{{GPU},{IN_POD}}}": "80e9x40",
                f'vllm:num_requests_running{{cluster="a",{IN_POD},engine="0"}}': "3x40",
            },
        ),
        id="memory-nearly-full-not-where-vllm-takes-it-all",
    ),
    pytest.param(
        Case(
            "ForesailGPUMemoryNearlyFull",
            "30m",
            {
                f"foresail_gpu_memory_used_bytes{{{GPU},{IN_POD}}}": "70e9x40",
                f"foresail_gpu_memory_total_bytes{{{GPU},{IN_POD}}}": "80e9x40",
            },
        ),
        id="memory-nearly-full-not-with-room-left",
    ),
    pytest.param(
        Case(
            "ForesailGPULost",
            "20m",
            {
                f'foresail_gpu_up{{{GPU},reason=""}}': "1x30",
                'foresail_gpu_up{cluster="a",node="n2",reason="released"}': "0x30",
            },
        ),
        id="lost-not-while-it-is-read-nor-while-the-driver-is-upgraded",
    ),
    pytest.param(
        Case("ForesailGPUAgentSilent", "30m", {READ: "0+60x15 _x30"}), id="agent-silent-not-where-the-node-went-too"
    ),
    pytest.param(
        Case(
            "ForesailGPUAgentSilent",
            "30m",
            {READ: "600x40", 'foresail_gpu_up{cluster="a",node="n1",reason="released"}': "0x40"},
        ),
        id="agent-silent-not-while-the-driver-is-upgraded",
    ),
    pytest.param(
        Case("ForesailGPUAgentSilent", "30m", {READ: "0+60x40", NODE: "1x40"}), id="agent-silent-not-while-it-reads"
    ),
]

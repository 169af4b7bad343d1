"""Alerts about GPUs: their use, their faults, and whether they are read. None of them pages.

Each reads Foresail's own agent and DCGM's exporter. Of a GPU that both tell of, under the same node and number, the
agent's word counts, so that there is one alert.
"""

from __future__ import annotations

from functools import partial

from alerts.rule import WORKLOAD, Alert, Group, Severity, either, grown, of_workload
from policies import signals
from policies.gpus import exported, faults

# Below the clocks' own limits: H100 and A100 slow down between 87 and 95 degrees.
HOT_CELSIUS = 85
# Twelve rounds of the agent, at the usual 5 s and a scrape a minute; a driver may hang for one.
SILENT_S = 300
# From here on the next allocation of a few hundred MiB fails on an 80 GiB GPU.
NEARLY_FULL = 0.97

_GPU = ("cluster", "node", "gpu")
_BY = f"({', '.join(_GPU)})"
_BY_NODE = "(cluster, node)"
_BY_POD = "(cluster, node, gpu, namespace, pod)"
_BY_XID = "(cluster, node, gpu, xid)"
_WHERE = "GPU {{ $labels.gpu }} of {{ $labels.node }}"
_DASHBOARD = "foresail-gpu"

_POWER_BRAKE = f'{faults.CLOCK_EVENTS}{{clock_event="hw_power_brake"}}'

_of_gpu = partial(Alert, labels=_GPU, dashboard=_DASHBOARD)


def _agent(expr: str) -> str:
    return f"max by {_BY} ({expr})"


def _dcgm(expr: str) -> str:
    return f"max by {_BY} ({faults.on_node(expr)})"


def _xid() -> str:
    """Events of the last hour; where events are not counted, the last one, which sticks until the GPU is reset."""
    critical = faults.xid_pattern()
    counted = faults.on_node(f'max_over_time({faults.XID_COUNT}{{xid=~"{critical}"}}[1h])')
    last = faults.on_node(f'{faults.XID_LAST}{{err_code=~"{critical}"}}')
    return either(
        grown(f'{exported.XID_ERRORS.name}{{xid=~"{critical}"}}', "1h", (*_GPU, "xid"), "> 0"),
        f"max by {_BY_XID} ({counted}) > 0",
        f'max by {_BY_XID} (label_replace({last}, "xid", "$1", "err_code", "(.+)"))'
        f" unless on {_BY} {_dcgm(faults.XID_COUNT)}",
    )


def _throttled(reason: str, dcgm: str) -> str:
    """More than a twentieth of five minutes."""
    held = f'avg_over_time({exported.THROTTLED.name}{{reason=~"{reason}"}}[5m])'
    return either(f"{_agent(held)} > 0.05", dcgm)


def _nearly_full() -> str:
    """Not of servers that take nearly all memory at their start: vLLM, SGLang, TensorFlow Serving."""
    used, free = (faults.of_pod(faults.on_node(name)) for name in (faults.MEMORY_USED, faults.MEMORY_FREE))
    agent = [
        f"max by {_BY_POD} ({faults.of_pod(f'{each.name}')})" for each in (exported.MEMORY_USED, exported.MEMORY_TOTAL)
    ]
    dcgm = f"max by {_BY_POD} ({used}) / (max by {_BY_POD} ({used}) + max by {_BY_POD} ({free}))"
    greedy = '{__name__=~"(kserve_|ray_)?vllm[:_]num_requests_running|sglang:num_running_reqs|:tensorflow:serving:.+"}'
    full = either(f"{' / '.join(agent)} > {NEARLY_FULL}", f"{dcgm} > {NEARLY_FULL}")
    return f"({full})\nunless on (cluster, namespace, pod) max by (cluster, namespace, pod) ({greedy})"


def _silent() -> str:
    """Its readings are old, or it is gone from a node that is there; not while a driver's upgrade has it let go."""
    read = exported.LAST_READ.value()
    now = f"max by {_BY_NODE} ({read})"
    gone = f"max by {_BY_NODE} (last_over_time({read}[6h])) unless {now}"
    there = f"max by {_BY_NODE} (kube_node_info)"
    released = f"max by {_BY_NODE} ({exported.UP.value(reason='released')}) == 0"
    old = either(f"{now} < time() - {SILENT_S}", f"({gone}) and on {_BY_NODE} {there}")
    return f"({old})\nunless on {_BY_NODE} {released}"


ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailGPUIdle",
        expr=f"{of_workload(signals.GPU_IDLE)} > 0",
        severity=Severity.WARNING,
        summary="A workload has GPUs that it has not used for hours.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} has {{ $value }} GPUs that did nothing for three"
        " hours. First see with `foresail recommend gpus -n {{ $labels.namespace }}` which those are and what they"
        " cost.",
        wait="120m",
        labels=("cluster", *WORKLOAD),
        dashboard=_DASHBOARD,
    ),
    _of_gpu(
        name="ForesailGPUXIDCritical",
        expr=_xid(),
        severity=Severity.WARNING,
        summary="The driver reported a fault after which a GPU must be reset, or its machine restarted.",
        description=f"{_WHERE} had XID {{{{ $labels.xid }}}} within the last hour; as DCGM's last XID it stays until a"
        " reset. First cordon the node, then read the driver's message there with `dmesg | grep Xid`.",
        wait="2m",
        labels=(*_GPU, "xid"),
        needs=(faults.XID_COUNT,),
    ),
    _of_gpu(
        name="ForesailGPUECCUncorrectable",
        expr=either(
            f"{_agent(exported.ECC_ERRORS.increase('1h', kind='uncorrected'))} > 0",
            f"{_dcgm(f'increase({faults.ECC_UNCORRECTED}[1h])')} > 0",
        ),
        severity=Severity.WARNING,
        summary="A GPU's memory had errors that could not be corrected.",
        description=f'{_WHERE} had about {{{{ $value | printf "%.0f" }}}} such errors in an hour: what ran there may'
        " have ended or be wrong. First cordon the node, then see with `nvidia-smi -q -d ECC,ROW_REMAPPER` what it"
        " needs.",
        wait="2m",
        needs=(faults.ECC_UNCORRECTED,),
    ),
    _of_gpu(
        name="ForesailGPURowRemapFailed",
        expr=either(f"{_agent(exported.REMAP_FAILED.value())} == 1", f"{_dcgm(faults.REMAP_FAILED)} == 1"),
        severity=Severity.WARNING,
        summary="A GPU could not replace a faulty row of its memory.",
        description=f"{_WHERE} has a row that could not be replaced, so that its errors come back. First drain the"
        " node, then have the GPU exchanged.",
        wait="2m",
    ),
    _of_gpu(
        name="ForesailGPURowRemapPending",
        expr=either(f"{_agent(exported.REMAP_PENDING.value())} == 1", f"{_dcgm(faults.REMAP_PENDING)} == 1"),
        severity=Severity.INFO,
        summary="A GPU needs a reset to replace a faulty row of its memory.",
        description=f"{_WHERE} has a row that waits for a reset to be replaced. First choose a time to drain the node"
        " and reset the GPU.",
        wait="10m",
        needs=(faults.REMAP_PENDING,),
    ),
    _of_gpu(
        name="ForesailGPUThermalThrottling",
        expr=_throttled("thermal|hardware_thermal", f"{_dcgm(f'rate({faults.THERMAL_NS}[5m])')} / 1e9 > 0.05"),
        severity=Severity.WARNING,
        summary="A GPU's clocks have been held down for heat for 10 minutes.",
        description=f"{_WHERE} was slowed down for heat in {{{{ $value | humanizePercentage }}}} of the last five"
        " minutes: its replicas serve less than their capacity says. First compare its temperature with its"
        " neighbours', then look at fans and air.",
        wait="10m",
        needs=(faults.THERMAL_NS,),
    ),
    _of_gpu(
        name="ForesailGPUPowerBrake",
        expr=_throttled("power_brake", f"{_dcgm(_POWER_BRAKE)} > 0"),
        severity=Severity.WARNING,
        summary="The machine has slowed a GPU down for want of power for 10 minutes.",
        description=f"{_WHERE} is told by its power supply to run at half its clocks or less: its replicas serve less"
        " than their capacity says. First look at the machine's power supplies.",
        wait="10m",
        needs=(faults.CLOCK_EVENTS,),
    ),
    _of_gpu(
        name="ForesailGPUHot",
        expr=either(
            f"{_agent(exported.TEMPERATURE.value(sensor='gpu'))} > {HOT_CELSIUS}",
            f"{_dcgm(faults.TEMPERATURE)} > {HOT_CELSIUS}",
        ),
        severity=Severity.WARNING,
        summary=f"A GPU has been above {HOT_CELSIUS} degrees Celsius for 10 minutes.",
        description=f"{_WHERE} is at {{{{ $value }}}} degrees Celsius and soon slows down. First compare it with its"
        " neighbours', then look at fans and air.",
        wait="10m",
    ),
    _of_gpu(
        name="ForesailGPUMemoryNearlyFull",
        expr=_nearly_full(),
        severity=Severity.WARNING,
        summary="A GPU's memory has been nearly full for 15 minutes; its server does not take it all on purpose.",
        description=f"{_WHERE}, which {{{{ $labels.namespace }}}}/{{{{ $labels.pod }}}} has, has"
        " {{ $value | humanizePercentage }} of its memory in use: the next allocation may fail. First see which process"
        " grows, then lower its batch size or the models it loads.",
        wait="15m",
        labels=(*_GPU, "namespace", "pod"),
    ),
    _of_gpu(
        name="ForesailGPULost",
        expr=f'max by (cluster, node, gpu, reason) ({exported.UP.name}{{reason=~"lost|reset_required"}}) == 0',
        severity=Severity.WARNING,
        summary="A GPU has fallen off the bus or cannot be used until it is reset.",
        description=f"{_WHERE} is not to be read, for the reason {{{{ $labels.reason }}}}: its pods fail. First"
        " cordon the node, then read the driver's message there with `dmesg | grep -e Xid -e NVRM`.",
        wait="2m",
        labels=(*_GPU, "reason"),
    ),
    Alert(
        name="ForesailGPUAgentSilent",
        expr=_silent(),
        severity=Severity.WARNING,
        summary="Nobody has read a node's GPUs for 5 minutes.",
        description="The GPUs of {{ $labels.node }} were last read at {{ $value | humanizeTimestamp }} (1970: not since"
        " the agent started): their faults are not seen, and what they do is missing data. First see whether its"
        " agent's pod runs there and which reason `foresail_gpu_up` gives.",
        wait="5m",
        labels=("cluster", "node"),
        dashboard=_DASHBOARD,
    ),
)

GROUPS = (Group("foresail-gpus", ALERTS),)

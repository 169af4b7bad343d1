"""The dashboard "Foresail GPUs": how well GPUs are, how far they are used, and by whom."""

from __future__ import annotations

from dashboards import links, shared
from dashboards.board import Board, Details, Drawn, Variable, shown
from dashboards.devices import CHOSEN, age, increase, largest, rate
from dashboards.panels import Bounds, Link, Means, Query, Sheet, lines, states
from dashboards.queries import RATE_WINDOW, sum_of_workloads
from policies import signals
from policies.gpus import exported

_DCGM = 'cluster=~"$cluster",hostname=~"$node",gpu=~"$gpu"'
_DEVICE, _INSTANCE = "{{node}} {{gpu}}", "{{node}} {{gpu}} {{gpu_instance}} {{pod}}"
_OF_DCGM = "{{hostname}} {{gpu}} (DCGM)"
_BY_DCGM = "max by (cluster, hostname, gpu)"
_BY, _BY_USE = ("cluster", "node", "gpu"), ("cluster", "node", "gpu", "gpu_instance", "pod")
_AGENT = "Needs `foresail agent` on the GPU nodes; DCGM's series stand beside where its exporter runs."


def _dcgm(metric: str, scale: str = "") -> Query:
    return Query(f"{_BY_DCGM} ({metric}{{{_DCGM}}}){scale}", _OF_DCGM)


_FIGURES = (
    shown(
        Sheet(
            id=1,
            title="GPUs not read",
            description="GPUs that the agent cannot read now, lost ones included. " + _AGENT,
            unit="short",
            queries=(Query(f"sum (1 - {largest(exported.UP, *_BY)})", "not read"),),
            span=4,
            links=(Link("Cost and placement", links.dashboard(links.COST)),),
            no_value="no agent",
        ),
        Bounds(1, 1),
    ),
    shown(
        Sheet(
            id=2,
            title="XID events in the last hour",
            description="Faults that the driver reported. 13, 31, 43 and 45 are usually the application's own.",
            unit="short",
            queries=(Query(f"sum (increase({exported.XID_ERRORS.name}{{{CHOSEN}}}[1h]))", "events"),),
            span=4,
            links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
            no_value="none seen",
        ),
        Bounds(1, 5),
    ),
    shown(
        Sheet(
            id=3,
            title="Allocated",
            description="GPUs and MIG instances that the chosen workloads' pods have asked for.",
            unit="short",
            queries=(Query(sum_of_workloads(signals.GPU_ALLOCATED), "allocated"),),
            span=4,
            no_value="none allocated",
        ),
    ),
    shown(
        Sheet(
            id=4,
            title="Idle all hour",
            description="Of those, how many were active less than 2 % all through the last hour.",
            unit="short",
            queries=(Query(sum_of_workloads(signals.GPU_IDLE), "idle"),),
            span=4,
            runbooks=("ForesailGpuIdle",),
        ),
        Bounds(1, 4),
    ),
    shown(
        Sheet(
            id=5,
            title="Activity, mean",
            description="Mean share of busy multiprocessors; where GPM does not tell it, of time in which a kernel ran,"
            " which is no measure of how full a GPU is.",
            unit="percentunit",
            queries=(
                Query(
                    f"avg ({largest(exported.SM_ACTIVE, *_BY_USE)} or {largest(exported.UTILIZATION, *_BY_USE)})", ""
                ),
            ),
            span=4,
        ),
    ),
    shown(
        Sheet(
            id=6,
            title="Age of the readings",
            description="How long ago the agent that lags most last read its GPUs.",
            unit="s",
            queries=(Query(f"max ({age(exported.LAST_READ)})", "age"),),
            span=4,
            links=(Link("Foresail itself", links.dashboard(links.SELF)),),
            no_value="no agent",
        ),
        Bounds(60, 180),
    ),
)


def _panel(panel_id: int, title: str, description: str, unit: str, *queries: Query, span: int = 12) -> Drawn:
    return Drawn(Sheet(panel_id, title, description, unit, queries, span), lines)


_USE = (
    _panel(
        7,
        "Activity",
        "Share of busy multiprocessors (GPM), and of time in which a kernel ran; DCGM's graphics engine beside it.",
        "percentunit",
        Query(largest(exported.SM_ACTIVE, *_BY_USE), f"{_INSTANCE} busy"),
        Query(largest(exported.UTILIZATION, *_BY_USE), f"{_INSTANCE} kernel ran"),
        _dcgm("DCGM_FI_PROF_GR_ENGINE_ACTIVE"),
    ),
    _panel(
        8,
        "Tensor cores and memory bandwidth",
        "Share of time in which tensor cores worked, and of the memory's bandwidth that was used.",
        "percentunit",
        Query(largest(exported.TENSOR_ACTIVE, *_BY_USE), f"{_INSTANCE} tensor"),
        Query(largest(exported.DRAM_ACTIVE, *_BY_USE), f"{_INSTANCE} bandwidth"),
        _dcgm("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"),
    ),
    _panel(
        9,
        "Memory in use",
        "Memory in use of all there is. vLLM and SGLang take most of it at their start: nearly full is no fault there.",
        "percentunit",
        Query(f"{largest(exported.MEMORY_USED, *_BY_USE)} / {largest(exported.MEMORY_TOTAL, *_BY_USE)}", _INSTANCE),
        Query(
            f"{_BY_DCGM} (DCGM_FI_DEV_FB_USED{{{_DCGM}}}"
            f" / (DCGM_FI_DEV_FB_USED{{{_DCGM}}} + DCGM_FI_DEV_FB_FREE{{{_DCGM}}}))",
            _OF_DCGM,
        ),
    ),
    _panel(
        10,
        "Temperature",
        "Of the GPU and of its memory, by sensor.",
        "celsius",
        Query(largest(exported.TEMPERATURE, *_BY, "sensor"), f"{_DEVICE} {{{{sensor}}}}"),
        _dcgm("DCGM_FI_DEV_GPU_TEMP"),
    ),
)
_THROTTLED = Drawn(
    Sheet(
        id=11,
        title="Clocks held down, by reason",
        description="A band while the driver holds a GPU's clocks down, for the reason named.",
        unit="bool",
        queries=(Query(largest(exported.THROTTLED, *_BY, "reason"), f"{_DEVICE} {{{{reason}}}}"),),
        span=24,
    ),
    lambda sheet: states(sheet, {0: ("", "transparent"), 1: ("held down", "red")}),
)
_HEALTH = (
    _panel(
        12,
        "Memory errors in the last hour",
        "Errors that were corrected, and that were not: after an uncorrected one drain the node.",
        "short",
        Query(increase(exported.ECC_ERRORS, *_BY, "kind"), f"{_DEVICE} {{{{kind}}}}"),
    ),
    _panel(
        13,
        "Rows replaced",
        "Memory rows that were replaced; pending ones need a reset, a failed one means a new GPU.",
        "short",
        Query(largest(exported.REMAPPED_ROWS, *_BY, "kind"), f"{_DEVICE} {{{{kind}}}}"),
        Query(largest(exported.REMAP_PENDING, *_BY), f"{_DEVICE} pending", Means.ANY),
        Query(largest(exported.REMAP_FAILED, *_BY), f"{_DEVICE} failed", Means.BAD),
    ),
    _panel(
        14,
        "XID events in the last hour",
        "Faults that the driver reported, by number; DCGM's shows the number of the last one until it is reset.",
        "short",
        Query(increase(exported.XID_ERRORS, *_BY, "xid"), f"{_DEVICE} XID {{{{xid}}}}"),
        _dcgm("DCGM_FI_DEV_XID_ERRORS"),
    ),
    _panel(
        15,
        "What is not told",
        "Quantities that a GPU, an instance or the driver does not tell, with the reason.",
        "short",
        Query(f"count by (quantity, reason) ({exported.UNSUPPORTED.name}{{{CHOSEN}}})", "{{quantity}}: {{reason}}"),
    ),
)
_POWER = (
    _panel(
        16,
        "Power and its limit",
        "Power drawn, and what the driver allows now.",
        "watt",
        Query(largest(exported.POWER, *_BY), _DEVICE),
        Query(largest(exported.POWER_LIMIT, *_BY), f"{_DEVICE} limit", Means.LIMIT),
        _dcgm("DCGM_FI_DEV_POWER_USAGE"),
    ),
    _panel(
        17,
        "Clocks",
        "Clocks of multiprocessors and memory.",
        "hertz",
        Query(largest(exported.CLOCK, *_BY, "clock"), f"{_DEVICE} {{{{clock}}}}"),
        _dcgm("DCGM_FI_DEV_SM_CLOCK", " * 1e6"),
    ),
)
_TRAFFIC = (
    _panel(
        18,
        "PCIe",
        "Bytes a second over PCIe; measured in moments of 20 ms where the GPU has no GPM.",
        "Bps",
        Query(largest(exported.PCIE, *_BY, "direction"), f"{_DEVICE} {{{{direction}}}}"),
    ),
    _panel(
        19,
        "NVLink",
        "Bytes a second over all NVLinks.",
        "Bps",
        Query(rate(exported.NVLINK, *_BY, "direction"), f"{_DEVICE} {{{{direction}}}}"),
    ),
)
_WHO = (
    _panel(
        20,
        "Processes, and GPUs split in instances",
        "Processes that compute on each GPU or MIG instance; 1 where a GPU is split.",
        "short",
        Query(largest(exported.PROCESSES, *_BY, "gpu_instance"), f"{_DEVICE} {{{{gpu_instance}}}} processes"),
        Query(largest(exported.MIG_ENABLED, *_BY), f"{_DEVICE} split"),
    ),
    _panel(
        21,
        "Memory by process",
        "The largest processes of each GPU or MIG instance.",
        "bytes",
        Query(largest(exported.PROCESS_MEMORY, *_BY, "pod", "process"), f"{_DEVICE} {{{{pod}}}} {{{{process}}}}"),
    ),
    _panel(
        22,
        "Rounds of the agent",
        "Rounds over all GPUs a second, by result, and how long the last one took.",
        "short",
        Query(
            f'sum by (node, result) (rate({exported.READS.name}{{cluster=~"$cluster",node=~"$node"}}[{RATE_WINDOW}]))',
            "{{node}} {{result}}",
        ),
        Query(
            f'max by (node) ({exported.READ_DURATION.name}{{cluster=~"$cluster",node=~"$node"}})', "{{node}} seconds"
        ),
    ),
    _panel(
        23,
        "Pods known",
        "1 while the kubelet tells the agent which pods have which devices.",
        "short",
        Query(f'max by (node) ({exported.PODS_KNOWN.name}{{cluster=~"$cluster",node=~"$node"}})', "{{node}}"),
    ),
)
_ALLOCATED = shared.placed(
    shared.IDLE_GPUS,
    24,
    span=24,
    title="Allocated and idle",
    links=(Link("Cost and placement", links.dashboard(links.COST)),),
)

BOARD = Board(
    uid=links.GPU,
    title="Foresail GPUs",
    description="How well GPUs are, how far they are used, and by whom.",
    first=(*_FIGURES, *_USE, _THROTTLED, _ALLOCATED),
    details=(
        Details(101, "Faults", _HEALTH),
        Details(102, "Power and clocks", _POWER),
        Details(103, "Traffic", _TRAFFIC),
        Details(104, "Processes and the agent itself", _WHO),
    ),
    further=(
        Variable("node", "Node", series=f'{exported.UP.name}{{cluster=~"$cluster"}}'),
        Variable("gpu", "GPU", series=f'{exported.UP.name}{{cluster=~"$cluster",node=~"$node"}}'),
    ),
)

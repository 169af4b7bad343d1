"""What the NVML agent exports of each GPU, every name once; base units, and labels whose number is bounded.

What tells how a device is used carries the pod that has it, as DCGM's exporter does; counters do not, so that they
go on when a pod comes or goes.
"""

from __future__ import annotations

from policies.metric import Counter, Gauge, Metric

DEVICE = ("node", "gpu", "uuid", "pci_bus_id")
USE = (*DEVICE, "gpu_instance", "namespace", "pod")

UP = Gauge(
    "foresail_gpu_up",
    "1 while a GPU is read; 0 with the reason: lost, reset_required, deadline, released, no_library, no_driver, ...",
    (*DEVICE, "reason"),
)
INFO = Gauge("foresail_gpu_info", "Always 1; the GPU's model and the driver.", (*DEVICE, "name", "driver"))
UNSUPPORTED = Gauge(
    "foresail_gpu_unsupported",
    "1 for what this GPU, instance or driver does not tell: not_supported, no_function, no_permission, ...",
    (*DEVICE, "gpu_instance", "quantity", "reason"),
)
MIG_ENABLED = Gauge("foresail_gpu_mig_enabled", "1 while a GPU is split in MIG instances.", DEVICE)

UTILIZATION = Gauge(
    "foresail_gpu_utilization_ratio", "Share of time in which a kernel ran, NVML's newest value.", USE, "ratio"
)
MEMORY_UTILIZATION = Gauge(
    "foresail_gpu_memory_utilization_ratio", "Share of time in which memory was read or written.", USE, "ratio"
)
UTILIZATION_WINDOW = Gauge(
    "foresail_gpu_utilization_window_ratio",
    "Utilisation over the last half minute of NVML's sample buffer: mean, max, p95.",
    (*USE, "statistic"),
    "ratio",
)
MEMORY_UTILIZATION_WINDOW = Gauge(
    "foresail_gpu_memory_utilization_window_ratio",
    "Memory utilisation over the last half minute of NVML's sample buffer: mean, max, p95.",
    (*USE, "statistic"),
    "ratio",
)
POWER_WINDOW = Gauge(
    "foresail_gpu_power_window_watts",
    "Power over the last half minute of NVML's sample buffer: mean, max, p95.",
    (*DEVICE, "statistic"),
    "watts",
)
SM_ACTIVE = Gauge("foresail_gpu_sm_active_ratio", "Share of multiprocessors that were busy (GPM).", USE, "ratio")
SM_OCCUPANCY = Gauge(
    "foresail_gpu_sm_occupancy_ratio", "Warps that were active over the most that there can be (GPM).", USE, "ratio"
)
TENSOR_ACTIVE = Gauge(
    "foresail_gpu_tensor_active_ratio", "Share of time in which tensor cores worked (GPM).", USE, "ratio"
)
DRAM_ACTIVE = Gauge(
    "foresail_gpu_dram_active_ratio", "Share of the memory's bandwidth that was used (GPM).", USE, "ratio"
)
MEMORY_USED = Gauge("foresail_gpu_memory_used_bytes", "Memory in use.", USE, "bytes")
MEMORY_FREE = Gauge("foresail_gpu_memory_free_bytes", "Memory not in use.", USE, "bytes")
MEMORY_TOTAL = Gauge("foresail_gpu_memory_total_bytes", "Memory there is, with what the driver keeps.", USE, "bytes")

POWER = Gauge("foresail_gpu_power_watts", "Power drawn.", DEVICE, "watts")
POWER_LIMIT = Gauge("foresail_gpu_power_limit_watts", "Power that the driver allows now.", DEVICE, "watts")
ENERGY = Counter("foresail_gpu_energy_joules_total", "Energy used since the driver was loaded.", DEVICE, "joules")
TEMPERATURE = Gauge("foresail_gpu_temperature_celsius", "Temperature: gpu, memory.", (*DEVICE, "sensor"), "celsius")
CLOCK = Gauge("foresail_gpu_clock_hertz", "Clock: graphics, sm, memory, video.", (*DEVICE, "clock"), "hertz")
THROTTLED = Gauge(
    "foresail_gpu_clock_throttled", "1 while the clocks are held down for the reason named.", (*DEVICE, "reason")
)
ECC_ERRORS = Counter(
    "foresail_gpu_ecc_errors_total",
    "Memory errors since the driver was loaded: corrected, uncorrected.",
    (*DEVICE, "kind"),
)
REMAPPED_ROWS = Gauge(
    "foresail_gpu_remapped_rows", "Memory rows replaced for errors: correctable, uncorrectable.", (*DEVICE, "kind")
)
REMAP_PENDING = Gauge("foresail_gpu_row_remap_pending", "1 while a reset is needed to replace a row.", DEVICE)
REMAP_FAILED = Gauge("foresail_gpu_row_remap_failed", "1 when a row could not be replaced.", DEVICE)
XID_ERRORS = Counter("foresail_gpu_xid_errors_total", "XID events seen since the agent started.", (*DEVICE, "xid"))
PCIE = Gauge(
    "foresail_gpu_pcie_bytes_per_second",
    "Bytes over PCIe a second, seen from the GPU: transmit, receive; between two rounds (GPM), else in 20 ms.",
    (*DEVICE, "direction"),
)
NVLINK = Counter(
    "foresail_gpu_nvlink_bytes_total", "Bytes over all NVLinks: transmit, receive.", (*DEVICE, "direction"), "bytes"
)
PROCESSES = Gauge(
    "foresail_gpu_processes", "Processes that compute on a GPU or MIG instance.", (*DEVICE, "gpu_instance")
)
PROCESS_MEMORY = Gauge(
    "foresail_gpu_process_memory_bytes",
    "Memory of each of the sixteen largest processes of a GPU or MIG instance.",
    (*USE, "pid", "process"),
    "bytes",
)

READS = Counter("foresail_gpu_reads_total", "Rounds over all GPUs, by result: success, failure.", ("node", "result"))
READ_DURATION = Gauge("foresail_gpu_read_duration_seconds", "How long the last round took.", ("node",), "seconds")
LAST_READ = Gauge("foresail_gpu_last_read_timestamp_seconds", "When a round last succeeded.", ("node",), "seconds")
PODS_KNOWN = Gauge("foresail_gpu_pods_known", "1 while the kubelet tells which pods have which devices.", ("node",))

AGENT: tuple[Metric, ...] = (
    *(UP, INFO, UNSUPPORTED, MIG_ENABLED),
    *(UTILIZATION, MEMORY_UTILIZATION, UTILIZATION_WINDOW, MEMORY_UTILIZATION_WINDOW, POWER_WINDOW),
    *(SM_ACTIVE, SM_OCCUPANCY, TENSOR_ACTIVE, DRAM_ACTIVE, MEMORY_USED, MEMORY_FREE, MEMORY_TOTAL),
    *(POWER, POWER_LIMIT, ENERGY, TEMPERATURE, CLOCK, THROTTLED),
    *(ECC_ERRORS, REMAPPED_ROWS, REMAP_PENDING, REMAP_FAILED, XID_ERRORS, PCIE, NVLINK),
    *(PROCESSES, PROCESS_MEMORY, READS, READ_DURATION, LAST_READ, PODS_KNOWN),
)

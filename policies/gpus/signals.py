"""Where readings of GPUs come from: for each quantity the metrics that may tell it, the best first.

`utilisation` means that a kernel ran: one small kernel at a time is 100 %. It tells an idle GPU and cannot tell a full
one. So the share of busy multiprocessors goes before it; queue and KV cache of the server tell more than either.
Names, labels and units are those of DCGM exporter 4 and of Foresail's own agent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.gpus import exported

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DEVICE_LABELS = ("node", "gpu", "slice", "namespace", "pod")  # of every answer; slice is empty but for MIG instances
PRESENT_LABELS = ("metric",)
ALLOCATION_LABELS = ("node", "resource")

DCGM_SM_ACTIVE = "DCGM_FI_PROF_SM_ACTIVE"  # not in the exporter's own list of counters

_MIB = 1_048_576.0
_SENTINEL = 2**62  # DCGM writes blanks as values from here on
# Of a DCGM exporter: its labels, and what Prometheus makes of them where it does not honour labels. Last one wins.
_DCGM_LABELS = (
    ("node", "hostname"),
    ("node", "Hostname"),
    ("gpu", "uuid"),
    ("gpu", "UUID"),
    ("slice", "GPU_I_ID"),
    ("namespace", "exported_namespace"),
    ("pod", "exported_pod"),
)
_AGENT_LABELS = (
    ("gpu", "uuid"),
    ("slice", "gpu_instance"),
    ("namespace", "exported_namespace"),
    ("pod", "exported_pod"),
)


class Quantity(StrEnum):
    """What is read of a GPU or of a MIG instance, in base units."""

    ACTIVITY = "activity"  # share of time, or of multiprocessors and time, from 0 to 1
    TENSOR = "tensor_activity"  # share of time that tensor cores worked, from 0 to 1
    MEMORY_USED = "memory_used_bytes"
    MEMORY_TOTAL = "memory_total_bytes"


class Exporter(StrEnum):
    """Who tells it."""

    AGENT = "foresail agent"
    DCGM = "dcgm-exporter"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Metrics that tell a quantity: their sum times `scale`. `saturates` says that 1 means a GPU that is full."""

    exporter: Exporter
    metrics: tuple[str, ...]
    scale: float = 1.0
    saturates: bool = True

    @property
    def name(self) -> str:
        """As people are shown it."""
        return " + ".join(self.metrics)

    def over(self, function: str, window: str) -> str:
        """PromQL of each device's value by `DEVICE_LABELS`: `max_over_time` or `avg_over_time` of a window like 1h.

        Only of devices that are told of now and were when the window began, under the same pod: measured, and its own,
        all the while. An exporter that was started anew in between does not matter.
        """
        parts, first = " + ".join(f"{function}({metric}[{window}])" for metric in self.metrics), self.metrics[0]
        told = [self._by_device(each) for each in (parts, first, f"{first} offset {window}")]
        return f"({' and '.join(told)}) * {self.scale!r}"

    def by_node(self, step: str) -> str:
        """PromQL of the mean over a node's devices, each over the last `step`, by the label `node`."""
        parts = " + ".join(f"avg_over_time({metric}[{step}])" for metric in self.metrics)
        return f"avg by (node) ({self._labelled(parts)}) * {self.scale!r}"

    def _by_device(self, parts: str) -> str:
        return f"max by ({', '.join(DEVICE_LABELS)}) ({self._labelled(parts)})"

    def _labelled(self, parts: str) -> str:
        told = f"({parts}) < {_SENTINEL}" if self.exporter is Exporter.DCGM else f"({parts})"
        for label, source in _DCGM_LABELS if self.exporter is Exporter.DCGM else _AGENT_LABELS:
            told = f'label_replace({told}, "{label}", "$1", "{source}", "(.+)")'
        return told


_A, _D = Exporter.AGENT, Exporter.DCGM
CANDIDATES: Mapping[Quantity, tuple[Candidate, ...]] = {
    Quantity.ACTIVITY: (
        Candidate(_A, (exported.SM_ACTIVE.name,)),
        Candidate(_D, (DCGM_SM_ACTIVE,)),
        Candidate(_D, ("DCGM_FI_PROF_GR_ENGINE_ACTIVE",), saturates=False),
        Candidate(_A, (exported.UTILIZATION.name,), saturates=False),
        Candidate(_D, ("DCGM_FI_DEV_GPU_UTIL",), 0.01, saturates=False),
    ),
    Quantity.TENSOR: (
        Candidate(_A, (exported.TENSOR_ACTIVE.name,)),
        Candidate(_D, ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",)),
    ),
    Quantity.MEMORY_USED: (
        Candidate(_A, (exported.MEMORY_USED.name,)),
        Candidate(_D, ("DCGM_FI_DEV_FB_USED",), _MIB),
    ),
    Quantity.MEMORY_TOTAL: (
        Candidate(_A, (exported.MEMORY_TOTAL.name,)),
        Candidate(_D, ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_RESERVED"), _MIB),
        Candidate(_D, ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"), _MIB),
    ),
}
# What tells only that a kernel ran: of a policy's query it is worth a caution.
ONLY_UTILISATION = frozenset(
    {
        *(
            metric
            for each in CANDIDATES[Quantity.ACTIVITY]
            if not each.saturates
            for metric in each.metrics
            if metric != "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
        ),
        "nv_gpu_utilization",
    }
)
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_NOT_OF_A_LABEL = re.compile(r"[^A-Za-z0-9_]")

Binding = dict[Quantity, Candidate]


def present_query() -> str:
    """PromQL of how many series there are by `PRESENT_LABELS`, of all metrics that any quantity may be told by."""
    names = sorted({metric for each in CANDIDATES.values() for candidate in each for metric in candidate.metrics})
    return f'count by (metric) (label_replace({{__name__=~"{"|".join(names)}"}}, "metric", "$1", "__name__", "(.+)"))'


def bound(present: Collection[str]) -> Binding:
    """For each quantity the first candidate whose metrics are all present; absent where there is none."""
    found: Binding = {}
    for quantity, candidates in CANDIDATES.items():
        for candidate in candidates:
            if all(metric in present for metric in candidate.metrics):
                found[quantity] = candidate
                break
    return found


def allocation_query() -> str:
    """PromQL of the GPUs that living pods ask for, by `ALLOCATION_LABELS`, as kube-state-metrics has it."""
    lives = 'max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"}) == 1'
    asks = 'kube_pod_container_resource_requests{resource=~".*_gpu|.*_gpu_shared|nvidia_com_mig_.*",node!=""}'
    return f"sum by ({', '.join(ALLOCATION_LABELS)}) ({asks} * on (namespace, pod) group_left () ({lives}))"


def allocation_name(resource: str) -> str:
    """A resource as kube-state-metrics writes it: nvidia_com_mig_1g_10gb."""
    return _NOT_OF_A_LABEL.sub("_", resource)


def utilisation_in(query: str) -> str | None:
    """The metric in a PromQL query that tells only that a kernel ran, if there is one."""
    return next((name for name in _NAME.findall(query) if name in ONLY_UTILISATION), None)

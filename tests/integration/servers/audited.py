"""The past of autoscaled workloads as cAdvisor and kube-state-metrics would have told it, to backfill a Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import ready_replicas
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.arrays import FloatArray, IntArray

STEP_S = 60
DAY_STEPS = 1440
HOLD_STEPS = 5  # an HPA's window before it lowers
BEHIND_STEPS = 1  # how far a decision is behind the load
AIM = 0.7


@dataclass(frozen=True, slots=True)
class Past:
    """One workload's load `[minute]`, in cores used or in requests a second, and how it was scaled."""

    name: str
    load: FloatArray
    capacity: float  # of one replica
    startup_s: int = 120
    requests: bool = False  # the load is requests a second, with a Pods metric; else cores
    least: int = 1
    most: int = 200
    namespace: str = "serving"

    def replicas(self) -> tuple[IntArray, IntArray]:
        """What an HPA that aims at 70 % would have paid, about, and how many were ready, `[minute]`."""
        behind = np.concatenate((np.repeat(self.load[:1], BEHIND_STEPS), self.load[:-BEHIND_STEPS]))
        wanted = np.clip(np.ceil(behind / (self.capacity * AIM) - 1e-9), self.least, self.most).astype(np.int64)
        padded = np.concatenate((np.repeat(wanted[:1], HOLD_STEPS), wanted))
        held = np.lib.stride_tricks.sliding_window_view(padded, HOLD_STEPS + 1).max(axis=1)
        return held, ready_replicas(held, startup_steps=round(self.startup_s / STEP_S))

    def series(self, end_s: int) -> Iterator[Series]:
        """All that the servers would have told until `end_s`."""
        at_s = end_s - STEP_S * np.arange(self.load.size)[::-1]
        yield from self._loads(at_s)
        yield from self._counts(at_s)
        yield from self._settings(at_s)
        yield from self._pods(at_s)

    def _loads(self, at_s: IntArray) -> Iterator[Series]:
        counted = np.concatenate(([0.0], np.cumsum(self.load[1:] * STEP_S)))
        name = "http_requests_total" if self.requests else "container_cpu_usage_seconds_total"
        for pod, share in (("x2k4q", 0.25), ("p9d7m", 0.75)):
            extra = {} if self.requests else {"container": "server"}
            yield self._made(name, {"pod": f"{self.name}-5d9c7b8f6-{pod}", **extra}, at_s, counted * share)

    def _counts(self, at_s: IntArray) -> Iterator[Series]:
        paid, ready = self.replicas()
        yield self._made("kube_deployment_status_replicas", {"deployment": self.name}, at_s, paid)
        yield self._made("kube_deployment_status_replicas_ready", {"deployment": self.name}, at_s, ready)
        hpa = {"horizontalpodautoscaler": self.name}
        yield self._made("kube_horizontalpodautoscaler_status_current_replicas", hpa, at_s, paid)

    def _settings(self, at_s: IntArray) -> Iterator[Series]:
        hpa = {"horizontalpodautoscaler": self.name}
        target = {
            "scaletargetref_kind": "Deployment",
            "scaletargetref_name": self.name,
            "scaletargetref_api_version": "apps/v1",
        }
        metric, aim, value = (
            ("http_requests", "average", self.capacity * AIM) if self.requests else ("cpu", "utilization", 70)
        )
        constants: list[tuple[str, Mapping[str, str], float]] = [
            ("kube_horizontalpodautoscaler_info", {**hpa, **target}, 1),
            ("kube_horizontalpodautoscaler_spec_min_replicas", hpa, self.least),
            ("kube_horizontalpodautoscaler_spec_max_replicas", hpa, self.most),
            (
                "kube_horizontalpodautoscaler_spec_target_metric",
                {**hpa, "metric_name": metric, "metric_target_type": aim},
                value,
            ),
        ]
        if not self.requests:
            pod = {"pod": f"{self.name}-5d9c7b8f6-p9d7m", "container": "server", "resource": "cpu", "unit": "core"}
            constants.append(("kube_pod_container_resource_requests", pod, self.capacity))
        for name, labels, constant in constants:
            yield self._made(name, labels, at_s[-10:], np.full(10, float(constant)))

    def _pods(self, at_s: IntArray) -> Iterator[Series]:
        """Eight pods a day, each there for an hour."""
        for number, first in enumerate(range(DAY_STEPS // 16, at_s.size - 60, DAY_STEPS // 8)):
            pod = {"pod": f"{self.name}-5d9c7b8f6-{number:05d}"}
            seen = at_s[first : first + 60]
            created = float(seen[0] - 30)
            yield self._made("kube_pod_created", pod, seen, np.full(seen.size, created))
            ready = seen[seen >= created + self.startup_s]
            yield self._made("kube_pod_status_ready_time", pod, ready, np.full(ready.size, created + self.startup_s))

    def _made(self, name: str, labels: Mapping[str, str], at_s: IntArray, values: FloatArray | IntArray) -> Series:
        return Series(name, {"namespace": self.namespace, **labels}, at_s.tolist(), values.tolist())

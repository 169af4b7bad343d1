"""The metrics of the agent: what was seen of the GPUs, as a collector of prometheus_client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.adapters.nvml.watch import known_devices
from policies.gpus import exported
from policies.metric import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from controller.adapters.nvml.reading import Device
    from controller.adapters.nvml.watch import Seen
    from policies.metric import Metric

_FAMILIES: Mapping[str, Metric] = {metric.name: metric for metric in exported.AGENT}
Family = CounterMetricFamily | GaugeMetricFamily


class GpuMetrics(Collector):
    """Makes the families anew with each scrape; takes nothing from the GPUs itself."""

    def __init__(
        self, node: str, seen: Callable[[], Seen], pods: Callable[[], Mapping[str, tuple[str, str]] | None]
    ) -> None:
        """`pods` gives namespace and name by the device's uuid, or None while they are not known."""
        self._node, self._seen, self._pods = node, seen, pods

    def describe(self) -> Iterable[Family]:
        """Nothing: the names are known by the catalogue."""
        return ()

    def collect(self) -> Iterable[Family]:
        """Every family that has a sample."""
        scrape = _Scrape(self._node, self._pods() or {})
        seen = self._seen()
        reading = known_devices(seen)
        for device in reading.devices:
            scrape.device(device, reading.driver)
        if seen.down and not reading.devices:
            scrape.add(exported.UP, 0, {"reason": seen.down})
        whole = {device.uuid: device for device in reading.devices if not device.instance}
        for (uuid, xid), count in sorted(seen.xids.items()):
            scrape.add(exported.XID_ERRORS, count, {**_labels(whole.get(uuid), uuid), "xid": str(xid)})
        for result, count in seen.rounds.items():
            scrape.add(exported.READS, count, {"result": result})
        scrape.add(exported.READ_DURATION, seen.took_s, {})
        scrape.add(exported.LAST_READ, seen.at_s, {})
        scrape.add(exported.PODS_KNOWN, float(self._pods() is not None), {})
        return scrape.families.values()


class _Scrape:
    def __init__(self, node: str, pods: Mapping[str, tuple[str, str]]) -> None:
        self.families: dict[str, Family] = {}
        self._node, self._pods = node, pods

    def device(self, device: Device, driver: str) -> None:
        """All samples of one GPU or MIG instance."""
        namespace, pod = self._pods.get(device.uuid, ("", ""))
        labels = {**_labels(device, device.uuid), "gpu_instance": device.instance, "namespace": namespace, "pod": pod}
        if not device.instance:
            self.add(exported.UP, float(not device.down), {**labels, "reason": device.down})
            self.add(exported.INFO, 1, {**labels, "name": device.name, "driver": driver})
        for sample in device.samples:
            self.add(_FAMILIES[sample.metric], sample.value, {**labels, **sample.labels})
        for quantity, reason in device.unsupported.items():
            self.add(exported.UNSUPPORTED, 1, {**labels, "quantity": quantity, "reason": reason})
        if device.process_count is not None:
            self.add(exported.PROCESSES, device.process_count, labels)
        for process in device.processes:
            if process.memory_bytes is not None:
                told = {**labels, "pid": str(process.pid), "process": process.name}
                self.add(exported.PROCESS_MEMORY, process.memory_bytes, told)

    def add(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        """One sample, with those of the labels that the metric has; one that is not given is empty."""
        family = self.families.get(metric.name)
        if family is None:
            make = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
            family = self.families[metric.name] = make(metric.name, metric.help, labels=metric.labels)
        given = {"node": self._node, **labels}
        family.add_metric([given.get(label, "") for label in metric.labels], value)


def _labels(device: Device | None, uuid: str) -> dict[str, str]:
    if device is None:
        return {"uuid": uuid}
    return {"gpu": str(device.index), "uuid": device.uuid, "pci_bus_id": device.pci_bus_id}

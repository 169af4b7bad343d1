"""How findings about GPUs leave the command: as a table, JSON, YAML or CSV."""

import csv
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.cli.output import Output, console, emit, table_of
from controller.cli.recommend_gpus import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.adapters.prometheus.gpus import GpuReadings
    from controller.cost.finding import Finding
    from controller.cost.gpu_findings import GpuReport
    from controller.cost.gpu_pools import PoolUse

_COLUMNS = ("kind", "namespace", "what", "resource", "devices", "per_month", "why", "mend")


@dataclass(frozen=True, slots=True)
class Shown:
    """A report, what it was read from, and of which namespace it is shown; None shows all."""

    report: "GpuReport"
    readings: "GpuReadings"
    currency: str
    namespace: str | None
    unread: tuple[str, ...]  # what could not be read

    def findings(self) -> "Iterator[Finding]":
        """Those of the namespace, or all."""
        return (each for each in self.report.findings if self.namespace in (None, each.namespace))

    def pools(self) -> "tuple[PoolUse, ...]":
        """Those of the cluster; none where one namespace was asked for."""
        return self.report.pools if self.namespace is None else ()

    def warnings(self) -> tuple[str, ...]:
        """All that the reader must know besides."""
        return (*self.unread, *self.report.warnings)


def written(shown: Shown, form: Form) -> None:
    """Write the findings to stdout."""
    match form:
        case Form.CSV:
            out = csv.writer(sys.stdout, lineterminator="\n")
            out.writerow((*_COLUMNS, "currency"))
            for each in shown.findings():
                cells = ("" if (value := getattr(each, name)) is None else value for name in _COLUMNS)
                out.writerow((*cells, shown.currency))
        case Form.TABLE:
            _show(shown)
        case Form.JSON | Form.YAML:
            emit("GpuRecommendations", document_of(shown), Output(form.value), lambda: "")


def document_of(shown: Shown) -> dict[str, object]:
    """As plain JSON values; the keys are stable."""
    return {
        "currency": shown.currency,
        "readFrom": [
            {
                "quantity": str(quantity),
                "metric": each.name,
                "exporter": str(each.exporter),
                "tellsFull": each.saturates,
            }
            for quantity, each in shown.readings.binding.items()
        ],
        "tensorActivityRatio": _tensor(shown.readings),
        "idlePerMonth": _idle(shown),
        "pools": [
            {
                "instanceType": each.pool.instance_type,
                "resource": each.pool.resource,
                "nodes": each.nodes,
                "devices": each.devices,
                "allocated": each.asked,
                "allocationRatio": _number(each.allocation),
                "activityRatio": _number(each.activity),
                "byAllocation": each.of_allocation.name.lower(),
                "byActivity": each.of_activity.name.lower(),
                "asOfNow": each.as_of_now,
                "perDeviceHour": _number(each.micros / 1e6),
            }
            for each in shown.pools()
        ],
        "findings": [
            {
                "kind": str(each.kind),
                "namespace": each.namespace,
                "what": each.what,
                "resource": each.resource,
                "devices": each.devices,
                "perMonth": each.per_month,
                "why": each.why,
                "mend": each.mend,
            }
            for each in shown.findings()
        ],
        "notPriced": [{"node": each.node, "why": each.why} for each in shown.report.unpriced],
        "warnings": list(shown.warnings()),
    }


def _idle(shown: Shown) -> float:
    """What idle GPUs cost a month, as far as they have prices."""
    return sum(each.per_month or 0.0 for each in shown.findings() if each.kind == "idle")


def _tensor(readings: "GpuReadings") -> float | None:
    """Mean activity of tensor cores over all devices."""
    return sum(readings.tensor.values()) / len(readings.tensor) if readings.tensor else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _percent(value: float) -> str | None:
    return f"{100 * value:.0f} %" if math.isfinite(value) else None


def _show(shown: Shown) -> None:
    from controller.cost.finding import counted

    out = console()
    if pools := shown.pools():
        columns = {"GPUS": "left", **dict.fromkeys(("NODES", "HAVE", "ALLOCATED", "ACTIVE"), "right")}
        columns |= {f"{shown.currency}/GPU-HOUR": "right", "BY ALLOCATION": "left", "BY ACTIVITY": "left"}
        out.print(table_of(columns, [_row(each) for each in pools]))
        out.print()
    found = list(shown.findings())
    rows = [
        (
            each.kind,
            f"{each.namespace}/{each.what}" if each.namespace else each.what,
            each.devices,
            None if each.per_month is None else f"{each.per_month:,.0f}",
            f"{each.why}. {each.mend[:1].upper()}{each.mend[1:]}.",
        )
        for each in found
    ]
    if rows:
        sides = {"FINDING": "left", "OF": "left", "GPUS": "right", f"{shown.currency}/MONTH": "right", "WHY": "left"}
        out.print(table_of(sides, rows))
        out.print()
    out.print(
        f"{counted(len(found), 'finding')}; idle GPUs cost {_idle(shown):,.0f} {shown.currency} a month", markup=False
    )
    for quantity, each in shown.readings.binding.items():
        out.print(f"{quantity} is read from {each.name} ({each.exporter})", markup=False)
    if (tensor := _tensor(shown.readings)) is not None:
        out.print(f"tensor cores were {_percent(tensor)} active, mean of all", markup=False)
    for node in shown.report.unpriced:
        out.print(f"not priced: node {node.node}: {node.why}", markup=False)
    for warning in shown.warnings():
        out.print(f"warning: {warning}", markup=False)


def _row(each: "PoolUse") -> tuple[object, ...]:
    return (
        str(each.pool),
        each.nodes,
        each.devices,
        each.asked,
        _percent(each.activity),
        f"{each.micros / 1e6:.2f}" if math.isfinite(each.micros) else None,
        each.of_allocation.name.lower(),
        each.of_activity.name.lower(),
    )

"""How the costs of a cluster leave the command: as a table, JSON or CSV."""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.cli.output import Output, console, emit, table_of
from controller.cli.times import moment_text
from policies.pricing.money import HOURS_A_MONTH, MICROS

if TYPE_CHECKING:
    from controller.cost import ClusterCost

_IDLE, _UNUSED = "idle room", "unused commitments"


class Form(StrEnum):
    """How the costs are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def written(found: "ClusterCost", unread: str | None, form: Form) -> None:
    """Write the costs to stdout."""
    match form:
        case Form.JSON:
            emit("Cost", document_of(found, unread), Output.JSON, lambda: "")
        case Form.CSV:
            _csv(found)
        case Form.TABLE:
            _show(found, unread)


def document_of(found: "ClusterCost", unread: str | None) -> dict[str, object]:
    """As plain JSON values; the keys are stable."""
    return {
        "currency": found.currency,
        "at": moment_text(found.at_s),
        "nodes": found.nodes,
        "perHour": found.hourly.total,
        "perMonth": found.hourly.total * HOURS_A_MONTH,
        "byCapacityType": _sums((kind, hour) for _, _, kind, hour in _parts(found)),
        "byNamespace": _sums((namespace, hour) for namespace, _, _, hour in _parts(found) if namespace),
        "byWorkload": [
            {
                "namespace": owner.namespace,
                "kind": owner.kind,
                "name": owner.name,
                "pods": pods,
                "perHour": sum(kinds.values()),
                "perMonth": sum(kinds.values()) * HOURS_A_MONTH,
                "byCapacityType": kinds,
            }
            for owner, pods, kinds in zip(found.owners, found.pods, _by_kind(found), strict=False)
        ],
        "idlePerHour": sum(hour for _, what, _, hour in _parts(found) if what == _IDLE),
        "unusedCommitmentsPerHour": sum(hour for _, what, _, hour in _parts(found) if what == _UNUSED),
        "sources": [{"source": source, "nodes": nodes} for source, nodes in found.sources],
        "notPriced": [{"node": each.node, "pods": each.pods, "why": each.why} for each in found.unpriced],
        "repacked": found.repacked
        and {
            "nodes": found.repacked.nodes,
            "perHour": found.repacked.micros / MICROS,
            "boundPerHour": found.repacked.bound_micros / MICROS,
        },
        "warnings": [*([unread] if unread else []), *found.warnings],
    }


def _kinds() -> dict[int, str]:
    from policies.pricing.bill import Kind

    return {Kind.COMMITTED: "committed", Kind.ON_DEMAND: "on-demand", Kind.SPOT: "spot", Kind.UNUSED: _UNUSED}


def _by_kind(found: "ClusterCost") -> list[dict[str, float]]:
    """For each owner and then idle room what it costs an hour, by capacity type."""
    return [{name: float(row[kind]) for kind, name in _kinds().items() if row[kind]} for row in found.hourly.by_owner]


def _parts(found: "ClusterCost") -> Iterator[tuple[str, str, str, float]]:
    """Namespace (empty for what is nobody's), what, capacity type and cost an hour."""
    for place, kinds in enumerate(_by_kind(found)):
        mine = place < len(found.owners)
        for kind, hour in kinds.items():
            what = f"{found.owners[place].kind} {found.owners[place].name}" if mine else _IDLE
            namespace = found.owners[place].namespace if mine else ""
            yield (namespace, what, kind, hour) if kind != _UNUSED else ("", _UNUSED, "committed", hour)


def _sums(parts: "Iterator[tuple[str, float]]") -> dict[str, float]:
    summed: defaultdict[str, float] = defaultdict(float)
    for name, hour in parts:
        summed[name] += hour
    return dict(sorted(summed.items(), key=lambda each: (-each[1], each[0])))


def _csv(found: "ClusterCost") -> None:
    """One row for each workload and capacity type; idle room and unused commitments have no namespace."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("namespace", "workload", "capacity_type", "currency", "per_hour", "per_month"))
    for namespace, what, kind, hour in _parts(found):
        out.writerow((namespace, what, kind, found.currency, f"{hour:.6f}", f"{hour * HOURS_A_MONTH:.4f}"))


def _show(found: "ClusterCost", unread: str | None) -> None:
    out = console()
    per = (f"{found.currency}/HOUR", f"{found.currency}/MONTH")
    workloads = _sums(
        (f"{namespace}/{what}" if namespace else what, hour) for namespace, what, _, hour in _parts(found)
    )
    for title, sums in (
        ("WORKLOAD", workloads),
        ("NAMESPACE", _sums((namespace or "(none)", hour) for namespace, _, _, hour in _parts(found))),
        ("CAPACITY TYPE", _sums((kind, hour) for _, _, kind, hour in _parts(found))),
    ):
        out.print(table_of({title: "left", **dict.fromkeys(per, "right")}, _rows(sums)))
        out.print()
    total = found.hourly.total
    out.print(f"{found.nodes - len(found.unpriced)} of {found.nodes} nodes: {total:.2f} {found.currency} an hour,")
    out.print(f"{total * HOURS_A_MONTH:,.2f} in a month of {HOURS_A_MONTH:.0f} hours, as things stand")
    priced = ", ".join(f"{source} {nodes}" for source, nodes in found.sources)
    out.print(f"nodes by source of their price, in this order: {priced}", markup=False)
    if (anew := found.repacked) is not None:
        cost, bound = anew.micros / MICROS, anew.bound_micros / MICROS
        out.print(
            f"the same pods fit on {anew.nodes} nodes of these types at {cost:.2f} an hour, on none below {bound:.2f};"
            " affinity, spread, volumes and disruption budgets are not looked at"
        )
    for each in found.unpriced:
        out.print(f"not priced: node {each.node} with {each.pods} pods: {each.why}", markup=False)
    for warning in (*([unread] if unread else ()), *found.warnings):
        out.print(f"warning: {warning}", markup=False)


def _rows(sums: dict[str, float]) -> Sequence[tuple[str, str, str]]:
    return [(name, f"{hour:.4f}", f"{hour * HOURS_A_MONTH:,.2f}") for name, hour in sums.items()]

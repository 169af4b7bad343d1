"""How recommended sizes leave the command: a table, JSON, YAML, CSV, one HTML page, or patches for kubectl."""

import csv
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from controller.cli.output import Output, console, emit, fitting, table_of
from policies.quantities import quantity_of

if TYPE_CHECKING:
    from controller.sizing.gather import Sized
    from controller.sizing.plan import SizedContainer, SizedWorkload
    from controller.vertical.workloads import Asks

_PLACE = ("namespace", "kind", "workload", "container")
_SIZES = ("now", "lower", "target", "upper", "plan")
_MIB = 1000 * 2**20  # in thousandths of a byte
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "CronJob")
_LEFT_OUT = ("NAMESPACE", "WHY")  # where the terminal is narrow; -o json tells all
_COLUMNS = {
    **dict.fromkeys(("NAMESPACE", "WORKLOAD", "CONTAINER"), "left"),
    **dict.fromkeys(("REPLICAS", "CPU", "MEMORY", "SAVED/MONTH"), "right"),
    "WHY": "left",
}


class Form(StrEnum):
    """How the sizes are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    HTML = "html"
    PATCH = "patch"


def written(found: "Sized", form: Form) -> None:
    """Write the sizes to stdout."""
    match form:
        case Form.JSON | Form.YAML:
            emit("ResourceRecommendation", document_of(found), Output(form.value), lambda: "")
        case Form.CSV:
            _csv(found)
        case Form.HTML:
            typer.echo(page_of(found))
        case Form.PATCH:
            typer.echo("\n".join(_patches(found)))
        case Form.TABLE:
            _show(found)


def document_of(found: "Sized") -> dict[str, object]:
    """As plain JSON values; the keys are stable."""
    return {
        "source": found.source,
        "currency": found.currency,
        "queries": found.queries,
        "perMonth": {
            "before": _sum(each.before for each in found.workloads),
            "after": _sum(each.after for each in found.workloads),
            "saved": _sum(each.saved for each in found.workloads),
        },
        "workloads": [_workload(each) for each in found.workloads],
        "warnings": list(found.warnings),
    }


def page_of(found: "Sized") -> str:
    """As one HTML page that needs nothing from elsewhere."""
    from html import escape

    from simulations.report.frame import framed, table

    def rows() -> Iterator[tuple[str, list[str]]]:
        for each in found.workloads:
            for container in each.containers:
                place, *cells = map(escape, map(str, _row(each, container)))
                yield place, cells

    saved, parts = _sum(each.saved for each in found.workloads), []
    told = "no prices are known" if saved is None else f"{saved:,.2f} {escape(found.currency)} a month less"
    parts.append(
        f"<header><h1>What containers should request</h1><p>{len(found.workloads)} workloads, {told}.</p>"
        f'<p class="soft">Read from {escape(found.source)} with {found.queries} queries; nothing was changed.</p>'
        "</header>"
    )
    titles = [title.capitalize() for title in _COLUMNS]
    parts.append(table(titles, rows()))
    parts += [f"<p>{escape(_finding(each))}</p>" for each in found.workloads if each.finding]
    parts += [f"<p>{escape(warning)}</p>" for warning in found.warnings]
    return framed("Foresail: sizes of containers", parts)


def _workload(each: "SizedWorkload") -> dict[str, object]:
    named = each.workload.named
    return {
        "namespace": named.namespace,
        "kind": named.kind,
        "name": named.name,
        "replicas": {"now": each.workload.replicas, "planned": each.replicas},
        "scaledBy": each.workload.scaled.words or None,
        "perMonth": {"before": each.before, "after": each.after, "saved": each.saved},
        "finding": each.finding or None,
        "measured": each.measured,
        "containers": [
            {
                "name": container.running.name,
                "current": _amounts(container.running.requests),
                "lowerBound": _amounts(container.bounds.lower),
                "target": _amounts(container.bounds.target),
                "upperBound": _amounts(container.bounds.upper),
                "recommended": _amounts(container.asks),
                "why": container.why,
            }
            for container in each.containers
        ],
    }


def _amounts(asks: "Asks") -> dict[str, str]:
    """By resource, as Kubernetes writes them; whole MiB as such."""
    given = {"cpu": asks.cpu_milli, "memory": asks.memory_milli}
    return {name: _quantity(name, amount) for name, amount in given.items() if amount is not None}


def _quantity(resource: str, amount: int) -> str:
    if resource == "memory" and amount % _MIB == 0:
        return f"{amount // _MIB}Mi"
    return quantity_of(resource, amount)


def _sum(amounts: "Iterator[float | None]") -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _row(each: "SizedWorkload", container: "SizedContainer") -> tuple[str, ...]:
    named, now, new = each.workload.named, _amounts(container.running.requests), _amounts(container.asks)
    first = container is each.containers[0]
    saved = "-" if each.saved is None else f"{each.saved:,.2f}"
    return (
        named.namespace,
        f"{named.kind}/{named.name}",
        container.running.name,
        _change(str(each.workload.replicas), str(each.replicas)),
        *(_change(now.get(name), new.get(name)) for name in ("cpu", "memory")),
        saved if first else "",  # of the workload as a whole
        container.why,
    )


def _change(before: str | None, after: str | None) -> str:
    return before or "-" if before == after or after is None else f"{before or '-'} -> {after}"


def _finding(each: "SizedWorkload") -> str:
    return f"{each.workload.named}: {each.finding}"


def _csv(found: "Sized") -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    sizes = [f"{resource}_{what}" for resource in ("cpu", "memory") for what in _SIZES]
    out.writerow((*_PLACE, "replicas_now", "replicas_plan", *sizes, "currency", "saved_per_month", "why"))
    for each in found.workloads:
        named, first = each.workload.named, each.containers[0]
        for container in each.containers:
            bounds = container.bounds
            sets = (container.running.requests, bounds.lower, bounds.target, bounds.upper, container.asks)
            amounts = [_amounts(asks).get(resource, "") for resource in ("cpu", "memory") for asks in sets]
            saved = f"{each.saved:.4f}" if each.saved is not None and container is first else ""
            place = (named.namespace, named.kind, named.name, container.running.name)
            counts = (each.workload.replicas, each.replicas)
            out.writerow((*place, *counts, *amounts, found.currency, saved, container.why))


def _patches(found: "Sized") -> Iterator[str]:
    """One command for each workload that would change; what cannot be patched is said in a comment."""
    for each in found.workloads:
        changed = [container for container in each.containers if container.asks != container.running.requests]
        if not changed:
            continue
        named = each.workload.named
        yield from (f"# {named}: {line}" for line in _told(each))
        if named.kind not in _TEMPLATES:
            yield f"# {named.kind} has no template of pods that can be changed; change what makes it"
            continue
        patch = json.dumps(_patch(named.kind, changed), separators=(",", ":"))
        kind = f"{named.kind.lower()}/{named.name}"
        yield f"kubectl -n {named.namespace} patch {kind} --type=strategic --patch {shlex.quote(patch)}"


def _told(each: "SizedWorkload") -> Iterator[str]:
    if each.saved is not None:
        yield f"saves {each.saved:,.2f} a month"
    if each.replicas != each.workload.replicas:
        yield f"its autoscaler will go from {each.workload.replicas} to {each.replicas} replicas"
    if each.finding:
        yield each.finding


def _patch(kind: str, containers: "list[SizedContainer]") -> Mapping[str, Any]:
    """A strategic merge of the requests, and of limits that would be below them."""
    merged = []
    for container in containers:
        resources: dict[str, Any] = {"requests": _amounts(container.asks)}
        if container.limits != container.running.limits:
            resources["limits"] = _amounts(container.limits)
        merged.append({"name": container.running.name, "resources": resources})
    inner: dict[str, Any] = {"template": {"spec": {"containers": merged}}}
    return {"spec": {"jobTemplate": {"spec": inner}}} if kind == "CronJob" else {"spec": inner}


def _show(found: "Sized") -> None:
    out = console()
    rows = [_row(each, container) for each in found.workloads for container in each.containers]
    shorter = {title: side for title, side in _COLUMNS.items() if title not in _LEFT_OUT}
    places = [place for place, title in enumerate(_COLUMNS) if title in shorter]
    out.print(fitting([table_of(_COLUMNS, rows), table_of(shorter, [[row[at] for at in places] for row in rows])]))
    out.print()
    before, after = (_sum(getattr(each, name) for each in found.workloads) for name in ("before", "after"))
    if before is not None and after is not None:
        money = f"{before:,.2f} {found.currency} a month now, {after:,.2f} by this plan: {before - after:,.2f} less"
        out.print(f"requests cost {money}, where nodes that are no longer needed go", markup=False)
    else:
        out.print("no price is known of the nodes, so no money is told")
    for each in found.workloads:
        if each.finding:
            out.print(_finding(each), markup=False)
    for warning in found.warnings:
        out.print(f"warning: {warning}", markup=False)

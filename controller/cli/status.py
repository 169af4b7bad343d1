"""`foresail status`: the workloads of a running daemon, as it saw them in its last tick."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.clients.daemon import DaemonApi

if TYPE_CHECKING:
    from rich.table import Table

DEFAULT_URL = "http://127.0.0.1:9870"
UrlOption = Annotated[str, typer.Option(help="Where the daemon listens.")]

_OLD_S = 60.0
_COLUMNS = {
    **dict.fromkeys(("NAMESPACE", "NAME", "MODE"), "left"),
    **dict.fromkeys(("READY", "NOW", "WANTED", "MIN", "MAX", "LOAD", "FORECAST"), "right"),
    **dict.fromkeys(("IN CHARGE", "REASON"), "left"),
}


def status(
    url: UrlOption = DEFAULT_URL,
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the workloads of a running daemon and what it decided.

    READY, NOW, WANTED, MIN and MAX are replicas; LOAD and FORECAST are the replicas that the load needs, now and,
    with the margin of the candidate in charge, once replicas started now are ready. IN CHARGE names that candidate's
    family, and while Kubernetes' rule stands beside it how much evidence it has, and which demand signals it waits for;
    `foresail explain` tells the rest.
    """
    found = _collected(daemon(url), namespace)
    for problem in found["problems"]:
        note(f"problem: {problem}")
    for uid, error in found["quarantined"].items():
        note(f"problem: {uid} is in quarantine: {error}")
    age_s = time.time() - datetime.fromisoformat(found["metadata"]["at"]).timestamp()
    if age_s > _OLD_S:
        note(f"the last tick was {age_s:.0f} s ago, at {found['metadata']['at']}; see {url}/readyz?verbose")
    emit("WorkloadStatusList", found, output, lambda: _table(found["items"]))


def daemon(url: str) -> DaemonApi:
    """The daemon at a URL; anything else than an http or https URL is a usage error."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"must be an http:// or https:// URL, not {url!r}", param_hint="--url")
    return DaemonApi(url)


def _collected(api: DaemonApi, namespace: str | None) -> dict[str, Any]:
    """All pages as one document."""
    pages = list(api.workload_pages())
    last = pages[-1]
    items = [item for page in pages for item in page["items"] if namespace in (None, item["namespace"])]
    return {
        "metadata": {"at": last["metadata"]["at"], "total": len(items)},
        "items": items,
        "quarantined": last["quarantined"],
        "problems": last["problems"],
    }


def _table(items: list[dict[str, Any]]) -> "Table | str":
    return table_of(_COLUMNS, [_row(item) for item in items]) if items else "no workloads"


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    replicas, forecast = item["replicas"], item["forecast"]
    return (
        item["namespace"],
        item["name"],
        item["mode"],
        *(replicas[name] for name in ("ready", "desired", "recommended", "min", "max")),
        None if item["load"] is None else f"{item['load']:.1f}",
        None if forecast is None else f"{forecast['upper']:.1f}",
        _in_charge(item["standing"], " and ".join(item.get("evidenceAwaits", ()))),
        f"{item['reason']}: {item['owner']}" if item["owner"] else item["reason"],
    )


def _in_charge(standing: dict[str, Any] | None, awaited: str) -> str | None:
    if standing is None:
        return f"none: waits for {awaited}" if awaited else None
    family, ratio = standing["inCharge"]["family"], standing["evidenceRatio"]
    if ratio >= 1:
        return str(family)
    return f"{family}, {int(100 * ratio)} %{awaited and f', waits for {awaited}'}"

"""`foresail signals`: what may stand in `spec.signals[].preset`, and what of it a Prometheus has."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.flags import loaded, with_settings
from controller.cli.output import Output, OutputOption, emit, table_of
from controller.settings import DEFAULT, catalogue
from policies.presets.catalogue import PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from controller.settings import Settings
    from policies.presets.model import Preset


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def signals(
    server: Annotated[str, typer.Argument(help="Only presets of this server, such as vllm.")] = "",
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """List the presets of signals; with --prometheus-url show which metric each is bound to, and what is missing."""
    chosen = [each for each in PRESETS.values() if each.name.partition("/")[0] == server or not server]
    if not chosen:
        servers = sorted({name.partition("/")[0] for name in PRESETS})
        raise typer.BadParameter(f"{server!r} has no presets; there are {', '.join(servers)}", param_hint="SERVER")
    given = loaded(flags)
    asked = given.origins["prometheus_url"] != DEFAULT
    there = asyncio.run(_names(given.settings, chosen)) if asked else None
    rows = [_listed(each, there) for each in chosen]
    emit("Signals", {"signals": rows}, output, lambda: _table(rows, asked=asked))


async def _names(settings: "Settings", chosen: "Sequence[Preset]") -> frozenset[str]:
    from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
    from controller.adapters.prometheus.present import read_names
    from controller.clients.access import prometheus_access

    async with MeteredPrometheus(prometheus_access(settings), Budget(1)) as prometheus:
        return await read_names(prometheus, {name for each in chosen for name in each.metrics()}, at_s=time.time())


def _listed(preset: "Preset", there: frozenset[str] | None) -> dict[str, object]:
    bound = None if there is None else preset.read_from(there)
    off = next((each.off for each in preset.candidates if each.off), "")
    return {
        "preset": preset.name,
        "kind": preset.kind,
        "unit": preset.unit,
        "meaning": preset.meaning,
        "legacy": preset.legacy,
        "candidates": list(preset.candidate_names()),
        "bound": bound[0] if bound else None,
        "missing": bound == (),
        "turnOn": off,
    }


def _table(rows: "Sequence[dict[str, object]]", *, asked: bool) -> "Table":
    columns = {"PRESET": "left", "KIND": "left", "UNIT": "left", "BOUND TO" if asked else "METRICS": "left"}
    return table_of(columns, [[row["preset"], row["kind"], row["unit"], _last(row, asked=asked)] for row in rows])


def _last(row: "dict[str, object]", *, asked: bool) -> str:
    if not asked:
        names = row["candidates"]
        return ", ".join(names) if isinstance(names, list) else ""
    return str(row["bound"] or "missing" + (f": {row['turnOn']}" if row["turnOn"] else ""))

"""The options of `backtest`, and which of them go with files, with a journal, and with a Prometheus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

CAPACITY, SERVING_LIMIT, STARTUP, OBJECTIVE = "p99.9/40", 0.8, "60s", 0.01
DAYS, MAX_QUERIES = 14, 2000

_FILES, _JOURNAL, _PROMETHEUS = "Of files", "Of a journal", "Prometheus"

PolicyOption = Annotated[
    list[str],
    typer.Option(
        help="predictive (what the daemon decides), reactive (the same without its models), kpa or hpa:TARGET, as in "
        "hpa:0.70 or hpa:0.70,tolerance=0.05,window=60s; may be repeated."
    ),
]
LoadOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="Parquet or CSV with columns timestamp (s, UTC) and value; may be repeated.", rich_help_panel=_FILES
    ),
]
OfFilesCapacityOption = Annotated[
    str | None,
    typer.Option(
        help="Load that one replica serves at 100 %: a number, or p99.9/40 to fit it to the load.",
        show_default=CAPACITY,
        rich_help_panel=_FILES,
    ),
]
OfFilesServingLimitOption = Annotated[
    float | None,
    typer.Option(
        help="Share of its capacity up to which a replica serves in time.",
        show_default=f"{SERVING_LIMIT:g}",
        rich_help_panel=_FILES,
    ),
]
LowOption = Annotated[
    int | None,
    typer.Option("--min", min=1, help="Smallest number of replicas.", show_default="1", rich_help_panel=_FILES),
]
HighOption = Annotated[
    int | None,
    typer.Option("--max", min=1, help="Largest number of replicas.", show_default="none", rich_help_panel=_FILES),
]
JournalOption = Annotated[
    str | None,
    typer.Option(
        help="Instead of files, what a daemon recorded: its loads, start-ups and bounds. With --policy predictive "
        "its decisions are made again and compared; exit code 3 when one differs.",
        metavar="FILE|URL",
        rich_help_panel=_JOURNAL,
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        help="First time, as RFC 3339 or so long ago, as in -2h.",
        metavar="TIME",
        show_default="all",
        rich_help_panel=_JOURNAL,
    ),
]
UntilOption = Annotated[
    str | None, typer.Option(help="Last time.", metavar="TIME", show_default="all", rich_help_panel=_JOURNAL)
]
PoliciesOption = Annotated[
    Path | None,
    typer.Option(
        help="Instead of files, WorkloadPolicies (a file or a folder) whose demand is read from Prometheus; "
        "exit code 4 when that of one cannot be.",
        rich_help_panel=_PROMETHEUS,
    ),
]
DaysOption = Annotated[
    int | None,
    typer.Option(min=1, max=90, help="How many days back.", show_default=f"{DAYS}", rich_help_panel=_PROMETHEUS),
]
MaxQueriesOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Requests to Prometheus at most.", show_default=f"{MAX_QUERIES}", rich_help_panel=_PROMETHEUS
    ),
]
WorkloadOption = Annotated[
    list[str] | None,
    typer.Option(help="Of the journal or the policies; may be repeated.", metavar="NAMESPACE/NAME", show_default="all"),
]
StartupOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Time from a decision until a replica serves; may be repeated.",
        show_default=f"{STARTUP}, or as the journal has it",
    ),
]
ObjectiveOption = Annotated[
    float | None,
    typer.Option(
        help="Share of requests that may be late.", show_default=f"{OBJECTIVE:g}, or as the workload's policy has it"
    ),
]
WarmupOption = Annotated[
    str | None,
    typer.Option(
        help="Time that is not scored.",
        show_default="3d, or 1d of a load of a week or less; of no files, at most a quarter",
    ),
]
DwellOption = Annotated[str, typer.Option(help="Time for which a released replica is still paid.")]
PlanOutOption = Annotated[
    Path | None,
    typer.Option(help="Write plans to this folder: TRACE.POLICY.STARTUP.parquet (timestamp, demand, replicas)."),
]

_SOURCES = {"--load": "files", "--journal": "a daemon's", "--policies": "read from Prometheus"}


def one_source(given: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse none or several of the sources, and options that the one given has no use for.

    `given` has the values of each source's options by their names, its own first; None where they are not given.
    """
    chosen = [source for source, options in given.items() if options[source] not in (None, [])]
    if len(chosen) != 1:
        *others, last = (f"{source} ({_SOURCES[source]})" for source in given)
        raise typer.BadParameter(f"give one of {', '.join(others)} and {last}", param_hint="--load")
    for source, options in given.items():
        for option, value in options.items():
            if source != chosen[0] and value not in (None, []):
                raise typer.BadParameter(f"goes with {source}, not with {chosen[0]}", param_hint=option)

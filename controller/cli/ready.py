"""`foresail ready`: whether a workload may go from shadow to floor, and to active, by criteria that are measured."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.exits import INVALID
from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.cli.status import DEFAULT_URL, UrlOption, daemon

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = {"CRITERION": "left", "MET": "left", "MEASURED": "left"}


class Step(StrEnum):
    """The mode to go to."""

    FLOOR = "floor"
    ACTIVE = "active"


def ready(
    workload: Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="The policy that is asked about.")],
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Namespace, where NAME has none.")] = "default",
    to: Annotated[
        Step | None, typer.Option(help="The mode to go to; the next one unless set: floor from shadow, else active.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell whether a workload may go from shadow to floor, or to active: each criterion, and what to do about it.

    The daemon measures them. Exit code 3 when one is not met.
    """
    uid = workload if "/" in workload else f"{namespace}/{workload}"
    found = daemon(url).readiness(*uid.split("/", 1))
    wanted = to or (Step.FLOOR if found["mode"] == "shadow" else Step.ACTIVE)
    step = next(each for each in found["steps"] if each["to"] == wanted)
    emit("WorkloadReadiness", {**found, "steps": [step]}, output, lambda: _table(step["criteria"]))
    missing = [each for each in step["criteria"] if not each["ok"]]
    for each in missing:
        note(f"{each['name']}: {each['mend']}")
    note(f"{uid}, mode {found['mode']}: {_verdict(len(missing), wanted)}{_saved(found['savings'])}")
    if missing:
        raise typer.Exit(INVALID)


def _table(criteria: list[dict[str, Any]]) -> "Table":
    return table_of(_COLUMNS, [(each["name"], "yes" if each["ok"] else "NO", each["sentence"]) for each in criteria])


def _verdict(missing: int, to: Step) -> str:
    if missing == 0:
        return f"ready for {to}"
    return f"not ready for {to}: {missing} {'criterion is' if missing == 1 else 'criteria are'} not met"


def _saved(savings: dict[str, Any] | None) -> str:
    if savings is None:
        return ""
    replicas = savings["replicas"]
    less = "fewer" if replicas >= 0 else "more"
    words = f"; against the autoscaler in place it takes {abs(replicas):.1f} replicas {less}"
    if savings["perHour"] is not None:
        words += f" ({savings['perHour']:+.2f} an hour saved)"
    late, others = (f"{round(100 * savings[name], 2):g} %" for name in ("lateRatio", "incumbentLateRatio"))
    return f"{words}; {late} came late, and {others} would have"

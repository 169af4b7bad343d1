"""`foresail pause`, `resume` and `override`: tell a running daemon what to do with a workload, or with all."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.output import Output, OutputOption, emit, note
from controller.cli.status import DEFAULT_URL, UrlOption, daemon
from controller.errors import Rejected

_TOKEN_VARIABLE = "FORESAIL_TOKEN"  # noqa: S105 - the variable's name

WorkloadArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAMESPACE/]NAME", help="The workload; left out with --all.", show_default=False),
]
NamespaceOption = Annotated[str, typer.Option("-n", "--namespace", help="Namespace, where NAME has none.")]
AllOption = Annotated[bool, typer.Option("--all", help="All workloads at once.")]
ReasonOption = Annotated[str, typer.Option("--reason", "--why", help="Why; it is recorded and shown.")]
LastingOption = Annotated[str, typer.Option("--for", metavar="TIME", help="How long, such as 30m, 2h or 1d.")]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file", help=f"File with the token to show; else {_TOKEN_VARIABLE} has it.", show_default=False
    ),
]


def pause(
    reason: ReasonOption,
    workload: WorkloadArgument = None,
    namespace: NamespaceOption = "default",
    every: AllOption = False,
    lasting: LastingOption = "1h",
    token_file: TokenOption = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let Foresail change nothing for a while: of a workload, or of all.

    It goes on watching and deciding, and takes up its work by itself when the time is over.
    """
    body = {"reason": reason, "for": lasting}
    _tell(_place(workload, namespace, every=every), "pause", body, token_file, url, output)


def resume(
    reason: ReasonOption,
    workload: WorkloadArgument = None,
    namespace: NamespaceOption = "default",
    every: AllOption = False,
    token_file: TokenOption = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a pause or an override now."""
    _tell(_place(workload, namespace, every=every), "resume", {"reason": reason}, token_file, url, output)


def override(
    workload: Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="The workload.")],
    replicas: Annotated[int, typer.Option(min=0, help="How many replicas it has meanwhile.")],
    reason: ReasonOption,
    namespace: NamespaceOption = "default",
    lasting: LastingOption = "1h",
    beyond_bounds: Annotated[
        bool, typer.Option("--beyond-bounds", help="Take a count outside of the policy's bounds too.")
    ] = False,
    token_file: TokenOption = None,
    url: UrlOption = DEFAULT_URL,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let a workload have exactly so many replicas for a while, whatever the load, budgets and the breaker say.

    Quotas, the kill switch and whoever else owns the workload still stand; what stands in the way is told.
    """
    body = {"replicas": replicas, "reason": reason, "for": lasting, "beyondBounds": beyond_bounds}
    _tell(_place(workload, namespace, every=False), "override", body, token_file, url, output)


def _place(workload: str | None, namespace: str, *, every: bool) -> tuple[str, ...]:
    """What is meant, as the API's path has it."""
    if every == (workload is not None):
        raise typer.BadParameter("name a workload, or all of them with --all", param_hint="NAME")
    if workload is None:
        return ("fleet",)
    uid = workload if "/" in workload else f"{namespace}/{workload}"
    return ("workloads", *uid.split("/", 1))


def _tell(
    place: tuple[str, ...], act: str, body: dict[str, Any], token_file: Path | None, url: str, output: Output
) -> None:
    found = daemon(url).tell((*place, act), body, shown_token(token_file))
    emit("InterventionResult", found, output, lambda: _told(found))
    for obstacle in found["obstacles"]:
        note(f"warning: it has no effect now: {obstacle}")
    if not found["recorded"]:
        note("warning: the journal cannot be written, so a restart before it can would forget this")


def shown_token(file: Path | None) -> str:
    """The token to show a daemon: a file's, else the environment's; empty for none. Raises Rejected."""
    if file is None:
        return os.environ.get(_TOKEN_VARIABLE, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not text"
        raise Rejected(f"the token file {file} cannot be read: {told}") from error


def _told(found: dict[str, Any]) -> str:
    told, before = found["intervention"], found["replaced"]
    what = "all workloads" if told["name"] is None else f"{told['namespace']}/{told['name']}"
    match told["kind"]:
        case "pause":
            line = f"{what}: paused until {told['until']}"
        case "override":
            line = f"{what}: {told['replicas']} replicas until {told['until']}"
        case _:
            return f"{what}: resumed, before the end of {_named(before)}"
    return f"{line}, in place of {_named(before)}" if before is not None else line


def _named(before: dict[str, Any]) -> str:
    count = "" if before["replicas"] is None else f" with {before['replicas']} replicas"
    return f"the {before['kind']}{count} by {before['who']} until {before['until']}"

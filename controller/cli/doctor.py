"""`foresail doctor`: what is wrong with an installation, what that means, and the mend."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.exits import INVALID
from controller.cli.flags import loaded, with_settings
from controller.cli.output import Output, OutputOption, emit
from controller.cli.status import DEFAULT_URL, UrlOption
from controller.settings import catalogue

if TYPE_CHECKING:
    from controller.doctor import Finding

_NOT_ASKED = ("interval", "log_", "removal_", "listen", "nvml", "tick_", "journal_retention")


@with_settings(each for each in catalogue() if not each.name.startswith(_NOT_ASKED))
def doctor(
    command: typer.Context,
    url: UrlOption = DEFAULT_URL,
    user: Annotated[
        str,
        typer.Option("--as", help="Whose rights to ask for, such as system:serviceaccount:foresail:foresail."),
    ] = "",
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """Look at Prometheus, the cluster, the policies, the journal and the daemon, and say what is wrong.

    Signals are read and targets watched as the daemon does it; nothing is written. Exit code 3 where an error was
    found; warnings alone end with 0.
    """
    from controller.app import own_namespace
    from controller.doctor import Asked, Severity, examine
    from controller.doctor.rights import Account
    from controller.logging import configure

    configure(command.obj or "error", "auto")
    settings = loaded(flags).settings
    found = asyncio.run(examine(Asked(settings, own_namespace(settings), url, Account(user))))
    counts = Counter(each.severity.value for each in found)
    content = {"items": list(map(_document, found)), "counts": {each.value: counts[each.value] for each in Severity}}
    emit("DoctorReport", content, output, lambda: "\n".join([*map(_told, found), _sum(counts)]))
    if counts[Severity.ERROR.value]:
        raise typer.Exit(INVALID)


def _document(found: "Finding") -> dict[str, Any]:
    return {
        "severity": found.severity.value,
        "check": found.check,
        "about": found.about,
        "message": found.message,
        "means": found.means,
        "mend": found.mend,
    }


def _told(found: "Finding") -> str:
    lines = [f"{found.severity.value:8}{found.check}: {found.about}: {found.message}"]
    lines += [f"        {word}: {said}" for word, said in (("means", found.means), ("mend", found.mend)) if said]
    return "\n".join(lines)


def _sum(counts: "Counter[str]") -> str:
    return f"{counts['error']} errors, {counts['warning']} warnings, {counts['ok']} ok"

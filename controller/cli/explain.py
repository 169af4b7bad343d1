"""`foresail explain`: why a workload has the replicas it has, from the daemon now, or from the journal at any time."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.flags import loaded
from controller.cli.output import Output, OutputOption, emit, note
from controller.cli.status import DEFAULT_URL, UrlOption, daemon
from controller.cli.times import moment_s, moment_text
from controller.errors import Rejected, Unavailable
from controller.settings import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.cli.past import Moment


def explain(
    workload: Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="The policy to explain.")],
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Namespace, where NAME has none.")] = "default",
    at: Annotated[
        str | None, typer.Option(help="A moment instead of now: RFC 3339, or so long ago, such as -2h.", metavar="TIME")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    journal: Annotated[
        str | None,
        typer.Option(
            help="The daemon's journal, for past moments and while the daemon is down; as the daemon's unless set.",
            metavar="FILE|URL",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell why a workload has the replicas it has, now or at a time.

    Past moments are decided again from what the journal recorded, so they can be told as fully as the present one.
    """
    uid = workload if "/" in workload else f"{namespace}/{workload}"
    found = _now(uid, url, journal) if at is None else _then(uid, moment_s(at, "--at"), journal)
    emit("WorkloadStatus", found, output, lambda: _story(found, _ahead(uid, url) if at is None else ()))


def _ahead(uid: str, url: str) -> "Sequence[str]":
    """The next half hour as it goes on now, and paused; nothing from a daemon that does not answer that."""
    try:
        found = daemon(url).projection(*uid.split("/", 1))
    except (Rejected, Unavailable) as error:
        note(f"the next half hour is not told: {error}")
        return ()
    return [course["sentence"] for course in found["courses"]]


def _now(uid: str, url: str, journal: str | None) -> dict[str, Any]:
    """From the daemon; the last recorded tick when it is down and a journal is named."""
    try:
        return daemon(url).workload(*uid.split("/", 1))
    except Unavailable as error:
        if journal is None:
            raise Unavailable(f"{error}. With --journal FILE the last recorded tick is explained") from error
        note(f"{error}; this is the last tick that the journal holds")
    moment = _moment(uid, time.time(), journal)
    return moment.document()


def _then(uid: str, at_s: float, journal: str | None) -> dict[str, Any]:
    moment = _moment(uid, at_s, journal)
    if moment.at_s < at_s - moment.reach_s:
        raise Unavailable(f"nothing is recorded for {moment_text(at_s)}: {moment.neighbours}")
    return moment.document()


def _moment(uid: str, at_s: float, journal: str | None) -> "Moment":
    from controller.cli.past import moment_of

    return asyncio.run(moment_of(_journal_url(journal), uid, at_s))


def _journal_url(journal: str | None) -> str:
    """Where the journal is: as given, else as the daemon's settings have it."""
    if journal is None:
        return loaded({}).settings.journal_url
    try:
        return values.journal_url(journal)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--journal") from error


def _story(found: dict[str, Any], ahead: "Sequence[str]") -> str:
    head = f"{found['namespace']}/{found['name']} at {found['at']}, mode {found['mode']}"
    return "\n".join([head, *(f"  {sentence}" for sentence in (*found["explanation"], *ahead))])

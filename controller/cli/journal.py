"""`foresail journal`: a part of what a daemon recorded, in one file without secrets that `foresail replay` reads."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.flags import journal_url, loaded
from controller.cli.output import Output, OutputOption, emit
from controller.cli.times import moment_text, span_of
from controller.errors import Rejected

if TYPE_CHECKING:
    from controller.journal.export import Exported, Part

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Take out a part of what a daemon recorded.")


@app.callback()
def journal() -> None:
    """Take out a part of what a daemon recorded."""


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write, such as incident.db.")],
    journal: Annotated[
        str | None, typer.Option(help="The daemon's journal; as the daemon's unless set.", metavar="FILE|URL")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="First time, as RFC 3339 or so long ago, as in -2h.", metavar="TIME", show_default="all"),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Last time.", metavar="TIME", show_default="all")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write a time of the journal to one file, itself a journal, with all that its decisions rest on.

    That is the last state saved before it, and from then on observations, decisions, orders, what people told, and
    policies. Secrets are taken out. `foresail replay --journal FILE` decides it again, and `foresail explain --at TIME
    --journal FILE` tells of any moment in it.
    """
    from controller.bundle.secrets import known_secrets
    from controller.journal.export import Part

    span = span_of(since, until)
    secrets = known_secrets(loaded({}).settings, os.environ)
    found = _written(out, journal_url(journal), Part(*span, secrets))
    content = {
        "file": str(out),
        "sizeBytes": out.stat().st_size,
        "begins": None if found.begins_at_s is None else moment_text(found.begins_at_s),
        "since": moment_text(found.span_s[0]),
        "until": moment_text(found.span_s[1]),
        "versions": list(found.versions),
        "rows": dict(found.rows),
    }
    emit("JournalExport", content, output, lambda: _words(out, found))


def _written(out: Path, url: str, part: "Part") -> "Exported":
    """The file, whole or not at all."""
    from controller.journal.export import export

    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    if out.exists():
        raise typer.BadParameter(f"{out} is there already", param_hint="--out")
    begun = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        found = asyncio.run(export(url, begun, part))
        begun.replace(out)
    except OSError as error:
        raise Rejected(f"{out} cannot be written: {error.strerror}") from error
    finally:
        for left in ("", "-wal", "-shm"):
            begun.with_name(begun.name + left).unlink(missing_ok=True)
    return found


def _words(out: Path, found: "Exported") -> str:
    first_s, last_s = found.span_s
    begins = "the daemon's beginning" if found.begins_at_s is None else f"the state of {moment_text(found.begins_at_s)}"
    ticks, decisions, orders = (found.rows[name] for name in ("ticks", "decisions", "intents"))
    return (
        f"{out}: {out.stat().st_size / 1e6:.1f} MB\n"
        f"  {ticks} ticks, {moment_text(first_s)} to {moment_text(last_s)}, from {begins} on\n"
        f"  {decisions} decisions, {orders} orders; secrets are taken out\n"
        f"  decide it again with: foresail replay --journal {out}"
    )

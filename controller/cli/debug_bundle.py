"""`foresail debug-bundle`: what explains a running daemon, in one file that may be sent to others."""

import os
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.hold import TokenOption, shown_token
from controller.cli.output import note
from controller.cli.status import DEFAULT_URL, UrlOption, daemon
from controller.errors import Rejected


def debug_bundle(
    out: Annotated[Path, typer.Option(help="The file to write, such as foresail-debug.tar.gz.")],
    token_file: TokenOption = None,
    url: UrlOption = DEFAULT_URL,
) -> None:
    """Save version, settings, policies, health, the last tick, log, metrics and journal figures of a daemon.

    Secrets are taken out. It needs the right to act on all workloads.
    """
    body = daemon(url).debug_bundle(shown_token(token_file))
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
    except OSError as error:
        raise Rejected(f"{out} cannot be written: {error.strerror}") from error
    note(f"{out}: {len(body) / 1e6:.1f} MB; contents.json in it tells what is cut or left out")

"""`foresail run`: settings from flags, environment, file and defaults, then the daemon until it is told to stop."""

import asyncio
import signal
from typing import TYPE_CHECKING

import typer

from controller.cli.exits import INTERRUPTED
from controller.cli.flags import loaded, with_settings
from controller.settings import catalogue

if TYPE_CHECKING:
    from controller.settings import Loaded


@with_settings(catalogue())
def run(command: typer.Context, **flags: object) -> None:
    """Run the daemon: observe, decide, act and record, every interval, until SIGTERM or Ctrl-C.

    A flag wins over its FORESAIL_ variable, that over the settings file, and that over the default.
    """
    from controller.logging import configure

    if flags.get("log_level") is None:
        flags["log_level"] = command.obj
    found = loaded(flags)
    configure(found.settings.log_level, found.settings.log_format)
    if asyncio.run(_daemon(found)):
        raise typer.Exit(INTERRUPTED)


async def _daemon(found: "Loaded") -> bool:
    """Run the daemon; True when Ctrl-C ended it. A second signal ends the process at once."""
    from controller.app import run_daemon

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        stop.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    await run_daemon(found.settings, stop=stop, origins=found.origins)
    return ended_by == [signal.SIGINT]

"""`foresail run`: settings from flags, environment, file and defaults, then the daemon until it is told to stop."""

import asyncio

import typer

from controller.cli.exits import INTERRUPTED
from controller.cli.flags import loaded, with_settings
from controller.cli.stopping import until_told
from controller.settings import catalogue


@with_settings(each for each in catalogue() if not each.name.startswith("metrics_api_"))
def run(command: typer.Context, **flags: object) -> None:
    """Run the daemon: observe, decide, act and record, every interval, until SIGTERM or Ctrl-C.

    A flag wins over its FORESAIL_ variable, that over the settings file, and that over the default.
    """
    from controller.app import run_daemon
    from controller.logging import configure

    if flags.get("log_level") is None:
        flags["log_level"] = command.obj
    found = loaded(flags)
    configure(found.settings.log_level, found.settings.log_format)
    if asyncio.run(until_told(lambda stop: run_daemon(found.settings, stop=stop, origins=found.origins))):
        raise typer.Exit(INTERRUPTED)

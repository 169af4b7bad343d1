"""`foresail version`."""

import platform
from importlib.metadata import version as installed

from controller.cli.output import Output, OutputOption, emit


def version(output: OutputOption = Output.TABLE) -> None:
    """Print the version of Foresail and of the Python that runs it."""
    found = {"version": installed("foresail"), "python": platform.python_version(), "platform": platform.platform()}
    emit("Version", found, output, lambda: f"foresail {found['version']} (Python {found['python']})")

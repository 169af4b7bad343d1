"""The C library in the place of libnvidia-ml.so.1, whose GPUs a test changes by a file while they are read."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.adapters.nvml.watch import CHILD
from tests.integration.servers.process import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).with_name("libnvml.c")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A compiled library, and the state that it reads with each call."""

    library: Path
    state: Path

    @property
    def shutdowns(self) -> Path:
        """The file that nvmlShutdown adds a line to."""
        return self.state.with_name("shutdowns")

    def set(self, **values: int) -> None:
        """Make this the state, all at once."""
        made = self.state.with_name("next")
        made.write_text("".join(f"{key} {value}\n" for key, value in values.items()))
        made.replace(self.state)

    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        own = {
            "LD_LIBRARY_PATH": str(self.library.parent),
            "FAKE_NVML": str(self.state),
            "FAKE_NVML_SHUTDOWNS": str(self.shutdowns),
        }
        return {**os.environ, **own}

    def command(self) -> Sequence[str]:
        """The child process with it."""
        own = self.environment()
        names = ("LD_LIBRARY_PATH", "FAKE_NVML", "FAKE_NVML_SHUTDOWNS")
        return ("/usr/bin/env", *(f"{name}={own[name]}" for name in names), *CHILD)


def compiled(folder: Path, *flags: str) -> Path:
    """Compile the library. Raises MissingServer without a compiler."""
    compiler = find_program("gcc", package="gcc libc6-dev")
    library = folder / "libnvidia-ml.so.1"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1", *flags]
    subprocess.run([*command, "-o", str(library), str(SOURCE)], check=True, timeout=60)
    return library

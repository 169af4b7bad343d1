"""How the command ends: its exit codes."""

from typing import Final

RUNTIME: Final = 1
USAGE: Final = 2
INVALID: Final = 3
PARTIAL: Final = 4
INTERRUPTED: Final = 130  # 128 and the number of SIGINT

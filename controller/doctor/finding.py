"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: with an ERROR something does not work now; a WARNING will hurt, or hides what is wrong."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: where, what was seen, what it means for who runs Foresail, and the mend.

    `means` and `mend` are empty for what is well.
    """

    check: str
    severity: Severity
    about: str
    message: str
    means: str = ""
    mend: str = ""


def well(check: str, about: str, message: str) -> Finding:
    """A finding that needs no mend."""
    return Finding(check, Severity.OK, about, message)

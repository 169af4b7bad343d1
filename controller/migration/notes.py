"""What is to be said of an import: what was assumed, and what has no counterpart. Nothing is dropped in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_INDEX = re.compile(r"\[\d+\]")
NO_COUNTERPART = "has no counterpart in a policy"


@dataclass(frozen=True, slots=True)
class Note:
    """A word on one field of an autoscaler. `lost`: it says something that the policy does not."""

    path: str
    message: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def unread(given: object, read: Collection[str], why: Mapping[str, str], at: str = "") -> Iterator[Note]:
    """A note for each field below `given` that is not among those `read`.

    Fields are paths with `[]` for any place in a list; what is below one that is read, or explained in `why`, goes with
    it. Fields that are null or empty say nothing.
    """
    for name, value, path in _entries(given, at):
        kind = _INDEX.sub("[]", path)
        if value in (None, {}, []) or kind in read:
            continue
        if kind in why:
            yield Note(path, why[kind])
        elif isinstance(value, dict | list) and any(_below(kind, each) for each in (*read, *why)):
            yield from unread(value, read, why, path)
        else:
            yield Note(path, NO_COUNTERPART if name else f"{NO_COUNTERPART}: {value}")


def _below(kind: str, other: str) -> bool:
    return other.startswith((f"{kind}.", f"{kind}["))


def _entries(given: object, at: str) -> Iterator[tuple[str, object, str]]:
    """Name, value and path of what a mapping or a list holds."""
    if isinstance(given, dict):
        for name, value in given.items():
            yield str(name), value, f"{at}.{name}" if at else str(name)
    elif isinstance(given, list):
        for place, value in enumerate(given):
            yield "", value, f"{at}[{place}]"

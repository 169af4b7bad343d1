"""Who may act, from a file: a line for each person with a name and a token. Read again when it changes."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.errors import Unavailable
from controller.records import Person

if TYPE_CHECKING:
    from pathlib import Path

    from controller.records import TargetRef

BY = "token_file"
SHORTEST = 16  # characters of a token: shorter ones can be guessed


@dataclass(slots=True)
class TokenFile:
    """Everybody in the file may act on every workload. A file that is broken lets nobody in, and says where it is."""

    path: Path
    _stamp: tuple[int, int, int] | None = None
    _people: dict[str, str] = field(default_factory=dict, repr=False)  # token -> name

    async def person(self, token: str) -> Person | None:
        """Whose token this is. Raises Unavailable when the file cannot be used."""
        await asyncio.to_thread(self._read)
        found = None
        for known, name in self._people.items():  # all of them, so that time tells nothing
            if hmac.compare_digest(known.encode(), token.encode()):
                found = Person(name, by=BY)
        return found

    async def may_act(self, person: Person, _target: TargetRef | None) -> str | None:
        """Everybody of this file may."""
        return None if person.by == BY else "the file of tokens does not name them"

    def _read(self) -> None:
        try:
            stat = self.path.stat()
            stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if stamp != self._stamp:
                self._people = _people(self.path.read_text(encoding="utf-8"))
                self._stamp = stamp
        except (OSError, ValueError) as error:
            self._stamp, self._people = None, {}
            told = getattr(error, "strerror", None) or error
            raise Unavailable(f"the file of tokens {self.path} cannot be used: {told}") from error


def _people(text: str) -> dict[str, str]:
    """Names by token. Raises ValueError, with the line and never with a token."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 2:  # noqa: PLR2004 - a name and a token
            raise ValueError(f"line {number}: must be a name, a blank and a token")
        name, token = parts
        if len(token) < SHORTEST or not token.isascii():
            raise ValueError(f"line {number}: the token of {name} must have at least {SHORTEST} plain characters")
        if token in found:
            raise ValueError(f"line {number}: {name} has the token of {found[token]}")
        found[token] = name
    return found

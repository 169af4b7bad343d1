"""Parsers of single settings: what a flag, a variable or a YAML value says becomes a value that cannot be wrong.

Each raises ValueError with what is wrong, to be read behind the setting's name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policies.problems import either, nearest
from policies.quantities import parse_duration_s, parse_share, shown

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_PORT = 65_535
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_JOURNALS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


@dataclass(frozen=True, slots=True)
class Listen:
    """A host and a port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(given: object) -> str:
    """A text that is not empty."""
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"must be text, not {shown(given)}")
    return given.strip()


def path(given: object) -> Path:
    """A path; ``~`` is the home folder."""
    if isinstance(given, Path):
        return given.expanduser()
    return Path(text(given)).expanduser()


def paths(given: object) -> tuple[Path, ...]:
    """Paths: a list, or a text with commas between them."""
    items = given.split(",") if isinstance(given, str) else given
    if isinstance(items, Path):
        items = [items]
    if not isinstance(items, list | tuple):
        raise ValueError(f"must be a path or a list of paths, not {shown(given)}")  # noqa: TRY004 - the user's value
    return tuple(path(item) for item in items)


def truth(given: object) -> bool:
    """True or false."""
    value = given if isinstance(given, bool) else _TRUTH.get(str(given).strip().lower())
    if value is None:
        raise ValueError(f"must be true or false, not {shown(given)}")
    return value


def positive(given: object) -> int:
    """A whole number of at least 1."""
    try:
        number = int(given) if isinstance(given, int | str) and not isinstance(given, bool) else 0
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"must be a whole number of at least 1, not {shown(given)}")
    return number


def duration_s(given: object) -> float:
    """A duration such as ``15s``, above 0, in seconds."""
    seconds = parse_duration_s(given)
    if seconds <= 0:
        raise ValueError(f"must be above 0s, not {shown(given)}")
    return seconds


def share(given: object) -> float:
    """A share from 0 to 1: ``0.1`` or ``10%``."""
    try:
        value = float(given) if isinstance(given, str) and "%" not in given else parse_share(given)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"must be a share between 0 and 1, such as 0.1 or 10%, not {shown(given)}")
    return value


def http_url(given: object) -> str:
    """An http or https URL that paths are added to: no slash at its end, no password, no ?query, no #fragment."""
    url = text(given).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be an http:// or https:// URL, not {shown(given)}")
    if parts.username or parts.password:
        raise ValueError("must not hold a user or password; name files with them instead")
    if "?" in url or "#" in url:
        raise ValueError(f"must have no ?query and no #fragment; leave them out after {parts.hostname}{parts.path}")
    return url


def journal_url(given: object) -> str:
    """A URL of SQLite or PostgreSQL, with the driver that Foresail brings; a plain path is a file of SQLite."""
    scheme, separator, rest = text(given).partition("://")
    if not separator and ":" not in scheme:
        return f"sqlite+aiosqlite:///{path(given).absolute()}"
    database, _, driver = scheme.partition("+")
    full = _JOURNALS.get(database, "")
    if not separator or not full or (driver and scheme != full):
        raise ValueError("must be a file, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")
    if database == "sqlite" and not rest.startswith("/"):
        raise ValueError("must have three slashes before a relative file and four before an absolute one")
    return f"{full}://{rest}"


def listen(given: object) -> Listen:
    """``HOST:PORT``, or ``[HOST]:PORT`` for IPv6."""
    host, colon, port = text(given).rpartition(":")
    number = int(port) if port.isdecimal() and port.isascii() else -1
    if not colon or not host or not 0 <= number <= _LAST_PORT or (":" in host and host[0] + host[-1] != "[]"):
        raise ValueError(f"must be HOST:PORT, such as 127.0.0.1:9870 or [::1]:9870, not {shown(given)}")
    return Listen(host.strip("[]"), number)


def one_of(*words: str) -> Callable[[object], str]:
    """One of a few words."""

    def parse(given: object) -> str:
        word = str(given).strip().lower()
        if word not in words:
            raise ValueError(f"must be {either(words)}, not {shown(given)}{nearest(word, words)}")
        return word

    return parse

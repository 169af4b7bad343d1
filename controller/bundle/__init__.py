"""The debug bundle: what explains an installation, as one .tar.gz of bounded size without a secret."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.redaction import clean, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LARGEST_MEMBER = 8 * 2**20  # bytes; what is longer is cut
LARGEST = 32 * 2**20  # of all members together
FOLDER = "foresail-debug"

_LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the bundle. `make` gives its text when it is written; blocks."""

    name: str
    make: Callable[[], str]


def json_text(found: object) -> str:
    """A document as a member's text."""
    return json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"


def bundle(members: Collection[Member], secrets: Collection[str], *, at_s: float) -> bytes:
    """The archive. A member in which a secret would still be is not written; `contents.json` says so.

    `at_s` is the wall time that its files bear. Blocks.
    """
    told: dict[str, str] = {}
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=at_s) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        left = LARGEST
        for member in members:
            data, told[member.name] = _written(member, secrets, left)
            left -= len(data)
            if not told[member.name].startswith(_LEFT_OUT):
                _add(archive, member.name, data, at_s)
        _add(archive, "contents.json", json_text(told).encode(), at_s)
    return out.getvalue()


def _written(member: Member, secrets: Collection[str], left: int) -> tuple[bytes, str]:
    """A member's bytes, none where it must not be written, and what is told of it."""
    data, words = redacted(member.make(), secrets).encode(errors="replace"), "whole"
    most = min(LARGEST_MEMBER, left)
    if len(data) > most:
        words = f"cut: {len(data)} bytes, of which the first {most} are here"
        data = data[:most]
    if not clean(data, secrets):
        return b"", f"{_LEFT_OUT}: a secret of this Foresail would be in it; tell its authors"
    return data, words


def _add(archive: tarfile.TarFile, name: str, data: bytes, at_s: float) -> None:
    entry = tarfile.TarInfo(f"{FOLDER}/{name}")
    entry.size, entry.mtime, entry.mode = len(data), int(at_s), 0o600
    archive.addfile(entry, io.BytesIO(data))

"""Where a sweep keeps what is done: a folder with one file a task, so that a sweep goes on where it stopped."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from policies.packing import pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store(Generic[T]):
    """Results of one dataclass `kind` under keys; `types` are the classes that its module imports for types alone."""

    folder: Path
    kind: type[T]
    types: tuple[type, ...] = ()

    def get(self, key: str) -> T | None:
        """The result under a key; None where there is none, or where its file is torn."""
        try:
            return unpack(self.kind, self._path(key).read_bytes(), types=self.types)
        except (FileNotFoundError, ValueError):
            return None

    def put(self, key: str, value: T) -> None:
        """Keep a result: its file is whole or not there at all. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, part = self._path(key), self._path(f"{key}.{os.getpid()}.part")
        try:
            part.write_bytes(pack(value))
            part.replace(path)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.fsp"

"""What waits to be written: in order, and bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

Rows = tuple["Table", list[dict[str, Any]]]

_ROW_BYTES = 200  # what a row costs beside its bytes and texts
_BATCH = 64


@dataclass(slots=True, eq=False)
class Write:
    """Rows that belong into one transaction. `observation` holds those that may be given up first.

    `settled` is set when the write has been tried or given up; `done` says whether it is safe, and `refusal` why the
    database will never take it.
    """

    rows: list[Rows]
    observation: list[Rows] = field(default_factory=list)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    done: bool = False
    refusal: str = ""

    @property
    def every(self) -> list[Rows]:
        """All rows, those that others refer to first."""
        return [*self.observation, *self.rows]

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        return _size(self.every)


@dataclass(slots=True)
class Buffer:
    """Writes in order. Over `limit` bytes, the oldest observations go first and then the oldest writes."""

    limit: int
    dropped: int = 0  # ticks whose observation was given up
    _writes: deque[Write] = field(default_factory=deque)
    _size: int = 0

    def __len__(self) -> int:
        return len(self._writes)

    def add(self, write: Write) -> None:
        """Append a write, giving up what no longer fits."""
        self._writes.append(write)
        self._size += write.size
        while self._size > self.limit and len(self._writes) > 1:
            self._give_up()

    def head(self) -> tuple[Write, ...]:
        """The writes to try next, in order."""
        return tuple(islice(self._writes, _BATCH))

    def last(self) -> Write:
        """The newest write; the buffer must not be empty."""
        return self._writes[-1]

    def written(self, writes: tuple[Write, ...]) -> None:
        """Forget what has been written, and tell those who wait for it."""
        for write in writes:
            if self._writes and self._writes[0] is write:  # it may have been given up meanwhile
                self._size -= self._writes.popleft().size
            write.done = not write.refusal
            write.settled.set()

    def failed(self) -> None:
        """Tell all who wait that the database failed; what waits stays."""
        for write in self._writes:
            write.settled.set()

    def withdraw(self, write: Write) -> None:
        """Forget a write that a later one makes needless."""
        if write in self._writes:
            self._writes.remove(write)
            self._size -= write.size

    def _give_up(self) -> None:
        oldest = next(self._with_observation(), None)
        if oldest is None:
            write = self._writes.popleft()
            self._size -= write.size
            write.settled.set()
            return
        self._size -= _size(oldest.observation)
        oldest.observation = []
        self.dropped += 1

    def _with_observation(self) -> Iterator[Write]:
        return (write for write in islice(self._writes, len(self._writes) - 1) if write.observation)


def _size(every: list[Rows]) -> int:
    return sum(_ROW_BYTES + sum(map(_length, row.values())) for _, rows in every for row in rows)


def _length(value: object) -> int:
    return len(value) if isinstance(value, bytes | str) else 8

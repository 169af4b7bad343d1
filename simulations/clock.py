"""Virtual time: a clock that only sleepers move."""

from __future__ import annotations

import heapq
import itertools
from types import coroutine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


_SETTLING_TURNS = 8  # a task that was just woken may have to hand on a result or two before it sleeps again


class VirtualClock:
    """A clock for simulations and tests: time stands still, and jumps to the next wake-up while somebody sleeps.

    Several tasks may sleep at once; they wake in the order of their times. Implements `ports.Clock`.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        """Begin at a wall time; monotonic time begins at 0."""
        self._start_s = start_s
        self._now_s = start_s
        self._wakes: list[tuple[float, int]] = []
        self._turn = itertools.count()

    def now_s(self) -> float:
        """Wall time in seconds since 1970."""
        return self._now_s

    def elapsed_s(self) -> float:
        """Virtual seconds since the start."""
        return self._now_s - self._start_s

    def advance(self, seconds: float) -> None:
        """Move time forward. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError(f"virtual time cannot go back by {-seconds} s")
        self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until it is this sleeper's turn, then move time to it; other tasks run meanwhile."""
        wake = (self._now_s + max(0.0, seconds), next(self._turn))
        heapq.heappush(self._wakes, wake)
        try:
            settled = 0
            while settled < _SETTLING_TURNS:
                await _let_others_run()
                settled = settled + 1 if self._wakes[0] == wake else 0
            self._now_s = max(self._now_s, wake[0])
        finally:
            self._wakes.remove(wake)
            heapq.heapify(self._wakes)


@coroutine
def _let_others_run() -> Generator[None, None, None]:
    """Give every other task of the event loop one turn, whichever loop it is."""
    yield

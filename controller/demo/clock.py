"""The demo's clock: it stands still while the stage is set, then runs a fixed number of times faster."""

from __future__ import annotations

import asyncio
import time


class ScaledClock:
    """Simulated wall time, `speed` times faster than real time once it has begun. Implements `ports.Clock`."""

    def __init__(self, now_s: float, speed: float) -> None:
        """Stand at a wall time (UTC, seconds since 1970)."""
        self.speed = speed
        self._start_s = now_s
        self._began_s: float | None = None

    def stand_at(self, now_s: float) -> None:
        """Stand at another wall time. Raises ValueError once time runs."""
        if self._began_s is not None:
            raise ValueError("the clock runs already")
        self._start_s = now_s

    def begin(self) -> None:
        """Let time run. Raises ValueError if it does."""
        self.stand_at(self._start_s)
        self._began_s = time.monotonic()

    def now_s(self) -> float:
        """Simulated wall time in seconds since 1970."""
        return self._start_s + self.elapsed_s()

    def elapsed_s(self) -> float:
        """Simulated seconds since the clock began to run."""
        return 0.0 if self._began_s is None else (time.monotonic() - self._began_s) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds."""
        await asyncio.sleep(seconds / self.speed)

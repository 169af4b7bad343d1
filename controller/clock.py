"""The clock of the real world."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time and monotonic time of this machine. Implements `ports.Clock`."""

    def now_s(self) -> float:
        """Wall time in seconds since 1970."""
        return time.time()

    def elapsed_s(self) -> float:
        """Monotonic seconds since an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

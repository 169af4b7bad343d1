"""The side of the agent: starts the child process, asks it with a deadline, and starts it again ever later."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from controller.adapters.nvml.reading import Reading, reading_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

log = structlog.get_logger("foresail.nvml")

CHILD = (sys.executable, "-m", "controller.adapters.nvml.child")
_LONGEST_LINE = 16 * 1024 * 1024
_LONGEST_BACK_OFF_S = 60.0
_GRACE_S = 2.0  # for nvmlShutdown, before the child is killed


@dataclass(frozen=True, slots=True)
class Pace:
    """How often GPUs are read, and the longest that a round may take before the child is killed."""

    interval_s: float = 5.0
    deadline_s: float = 5.0


@dataclass(slots=True)
class Seen:
    """What is known now. `down` is why nothing is read; then `reading` is what was known before."""

    reading: Reading = field(default_factory=Reading)
    down: str = "starting"
    at_s: float = 0.0  # wall time of the last round that succeeded
    took_s: float = 0.0
    rounds: Counter[str] = field(default_factory=lambda: Counter({"success": 0, "failure": 0}))
    xids: Counter[tuple[str, int]] = field(default_factory=Counter)


class DriverFailedError(OSError):
    """The child said why no GPU can be read, and ended."""

    def __init__(self, reading: Reading) -> None:
        """Hold the reason and the binding's words."""
        super().__init__(reading.message)
        self.reason = reading.failed


class StuckError(OSError):
    """The last child cannot be ended, and the next would only be held as well: each takes memory and a process id."""


class GpuWatch:
    """Reads the GPUs of this machine every interval. No fault of NVML reaches its owner."""

    def __init__(self, pace: Pace, released: Callable[[], str] = str, command: Sequence[str] = CHILD) -> None:
        """`released` gives a reason while the driver has to be let go of, else nothing."""
        self.seen = Seen()
        self.round_at_s = time.monotonic()
        self._pace, self._released, self._command = pace, released, tuple(command)
        self._child: Process | None = None
        self._stuck: Process | None = None  # killed, and held by the kernel in the driver
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """The child's process id, while it has one."""
        return None if self._child is None else self._child.pid

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set, then let go of the driver."""
        try:
            while not stop.is_set():
                started_s = self.round_at_s = time.monotonic()
                await self.once()
                wait_s = started_s + self._pace.interval_s - time.monotonic()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(wait_s, self.back_off_s, 0.0))
        finally:
            await self.close()

    async def once(self) -> None:
        """One round, or none while the driver is let go of."""
        if reason := self._released():
            if self.seen.down != "released":
                log.info("driver released", reason=reason)
            await self.close()
            self.seen.down = "released"
            return
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._pace.deadline_s):
                self._take(await self._asked(), time.monotonic() - started_s)
        except StuckError as error:
            await self._fail("stuck", str(error))
        except TimeoutError:
            await self._fail("deadline", f"no answer within {self._pace.deadline_s:g} s")
        except DriverFailedError as error:
            await self._fail(error.reason, str(error))
        except (OSError, ValueError) as error:
            await self._fail("child_ended", str(error))

    async def close(self) -> None:
        """Let go of the driver: the child shuts NVML down and ends; one that does not is killed."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _GRACE_S)
        await self._kill(child)

    async def _asked(self) -> Reading:
        if self._stuck is not None and self._stuck.returncode is None:
            raise StuckError(f"process {self._stuck.pid} was killed and does not end: the driver holds it")
        child = self._child
        if child is None:
            child = self._child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                start_new_session=True,
            )
        if child.stdin is None or child.stdout is None:
            raise OSError("the child has no pipes")
        child.stdin.write(b"\n")
        with suppress(ConnectionError):  # it ended, and may have said why
            await child.stdin.drain()
        line = await child.stdout.readline()
        if not line.endswith(b"\n"):
            raise OSError(f"the child ended with status {await child.wait()} without an answer")
        return reading_of(line)

    def _take(self, reading: Reading, took_s: float) -> None:
        if reading.failed:
            raise DriverFailedError(reading)
        seen = self.seen
        if seen.down:
            log.info("gpus are read", gpus=len(reading.devices), driver=reading.driver)
        self._failures = 0
        seen.reading, seen.down, seen.at_s, seen.took_s = reading, "", time.time(), took_s
        seen.rounds["success"] += 1
        seen.xids.update(reading.xids)

    async def _fail(self, reason: str, message: str) -> None:
        child, self._child = self._child, None
        if child is not None:
            await self._kill(child)
        self._failures += 1
        self.seen.rounds["failure"] += 1
        if self.seen.down != reason:
            log.warning("gpus are not read", reason=reason, err=message)
        self.seen.down = reason

    async def _kill(self, child: Process) -> None:
        """End it for good; one that the kernel holds in the driver is left to it, and no other is started meanwhile."""
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), _GRACE_S)
        self._stuck = child if child.returncode is None else None

    @property
    def back_off_s(self) -> float:
        """How long to wait after the last failure: twice as long after each, a minute at most."""
        return min(_LONGEST_BACK_OFF_S, self._pace.interval_s * 2 ** min(self._failures, 10)) if self._failures else 0.0


def known_devices(seen: Seen) -> Reading:
    """The last reading, every device of it down while nothing is read."""
    if not seen.down:
        return seen.reading
    devices = tuple(
        replace(each, down=seen.down, samples=(), unsupported={}, processes=(), process_count=None)
        for each in seen.reading.devices
    )
    return replace(seen.reading, devices=devices)

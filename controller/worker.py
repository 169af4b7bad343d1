"""Processes for work that is never more urgent than a tick; none outlives its owner, or its owner's block."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from controller.allocator import return_large_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

_LEAST_URGENT = 19
_LOOK_EVERY_S = 0.1


class Worker(Executor):
    """An executor of one process, which is started with the first work and again after it was killed."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pool = _pool()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin work; what was under way when the process was killed fails with BrokenProcessPool."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pool = _pool()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as in Executor
        """Take no more work."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def worker() -> Iterator[Worker]:
    """A worker for a block. Work that is under way at its end is given up, not waited for."""
    others = set(active_children())
    executor = Worker()
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - others:
            process.terminate()


class GivenUp(Exception):
    """Work that took too long, or whose process ended without an answer; the text says which."""


async def alone(work: Callable[[T], R], given: T, *, within_s: float) -> R:
    """What `work` makes of what is given, in a process of its own with the least priority, which is killed on leaving.

    Raises GivenUp. `work` must be importable, and what it is given and returns picklable; what it raises ends its
    process, which tells on stderr.
    """
    leave = threading.Event()
    try:
        return await asyncio.to_thread(_Alone(work, given, time.monotonic() + within_s, leave).done)
    finally:
        leave.set()


@dataclass(frozen=True, slots=True)
class _Alone(Generic[T, R]):
    """The thread that waits for such a process, at most until a moment of the monotonic clock."""

    work: Callable[[T], R]
    given: T
    until_elapsed_s: float
    leave: threading.Event

    def done(self) -> R:
        context = get_context("spawn")
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(sending, self.work, self.given), daemon=True)
        process.start()
        sending.close()  # the process has its own end, so that we hear when it dies
        try:
            return self._answered(receiving)
        finally:
            process.kill()
            process.join()
            process.close()
            receiving.close()

    def _answered(self, receiving: Connection) -> R:
        while not receiving.poll(_LOOK_EVERY_S):
            if self.leave.is_set() or time.monotonic() > self.until_elapsed_s:
                raise GivenUp("it took too long")
        try:
            found: R = receiving.recv()
        except EOFError as ended:
            raise GivenUp("its process ended without an answer") from ended
        return found


def _answer(sending: Connection, work: Callable[[T], R], given: T) -> None:
    _begin(_LEAST_URGENT)
    sending.send(work(given))


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_begin)


def _begin(niceness: int = 10) -> None:
    """Yield to the ticks, give memory back, leave Ctrl-C to the owner, and end when the owner was killed."""
    os.nice(niceness)
    return_large_blocks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, name="end with owner", daemon=True).start()


def _end_with_owner() -> None:
    owner = parent_process()
    if owner is not None:
        owner.join()
    os._exit(1)

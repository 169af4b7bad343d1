"""A process for work that is never more urgent than a tick; it outlives neither its owner's block nor its owner."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from controller.allocator import return_large_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")


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


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Yield to the ticks, give memory back, leave Ctrl-C to the owner, and end when the owner was killed."""
    os.nice(10)
    return_large_blocks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, name="end with owner", daemon=True).start()


def _end_with_owner() -> None:
    owner = parent_process()
    if owner is not None:
        owner.join()
    os._exit(1)

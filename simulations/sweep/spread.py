"""Spreads tasks over processes of this machine or over a Dask cluster, through joblib. A lost worker loses nothing."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Given = TypeVar("Given")
Made = TypeVar("Made")

_LOST_IN_A_ROW = 3


class WorkersLost(RuntimeError):
    """Processes of this machine ended again and again without a result."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Processes of this machine: as many as `jobs`, all cores without, and no more than there are tasks.

    A single one is this very process.
    """

    jobs: int | None = None

    @property
    def number(self) -> int:
        """How many processes work at a time."""
        return self.jobs or len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers of a Dask cluster, by an open `distributed.Client`."""

    client: Any


def spread(work: Callable[[Given], Made], tasks: Sequence[Given], over: Cores | Cluster) -> Iterator[tuple[int, Made]]:
    """Yield the number and the result of each task as it is done, in any order.

    A Dask scheduler gives the tasks of a lost worker to another; here, processes are started anew for what is left.
    Raises WorkersLost where that is of no use, and what `work` raises.
    """
    left = dict(enumerate(tasks))
    lost = 0
    while left:
        try:
            for number, made in _parallel(work, list(left.items()), over):
                del left[number]
                lost = 0
                yield number, made
        except BrokenExecutor as error:
            lost += 1
            if lost == _LOST_IN_A_ROW:
                raise WorkersLost(
                    f"worker processes ended {lost} times without a result, with {len(left)} of {len(tasks)} tasks left"
                    " (out of memory?); try fewer --jobs"
                ) from error


def _parallel(
    work: Callable[[Given], Made], numbered: Sequence[tuple[int, Given]], over: Cores | Cluster
) -> Iterator[tuple[int, Made]]:
    with _config(over, len(numbered)):
        # Short tasks are sent together, a second's worth at most, which is what a lost worker takes with it.
        run = Parallel(return_as="generator_unordered", batch_size="auto")
    yield from run(delayed(_worked)(_Sent(work, number, given)) for number, given in numbered)


def _config(over: Cores | Cluster, tasks: int) -> parallel_config:
    match over:
        case Cluster(client):
            return parallel_config(backend="dask", client=client)
        case Cores():
            # Arrays are not handed over as read-only files: compiled code would be compiled again for those.
            return parallel_config(backend="loky", n_jobs=min(over.number, tasks), max_nbytes=None)


@dataclass(frozen=True, slots=True)
class _Sent(Generic[Given, Made]):
    """A task on its way, as one object that takes no weak references.

    Of large arguments that do, joblib keeps a single copy on one Dask worker, and the sweep is lost with that worker.
    """

    work: Callable[[Given], Made]
    number: int
    given: Given


def _worked(sent: _Sent[Given, Made]) -> tuple[int, Made]:
    threadpool_limits(1)  # of BLAS and OpenMP, for good: sums in several threads differ in their last bits
    return sent.number, sent.work(sent.given)

"""Work for the tests of sweeps: pure functions of a task, which workers import by name."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Sum:
    """What a task comes to; `[draw]`."""

    drawn: FloatArray
    process: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Job:
    """Draws by a seed, on an array that came along; `marks` is a folder in which each start leaves a file."""

    seed: int
    load: FloatArray
    marks: str = ""


def drawn(job: Job) -> Sum:
    """A product of matrices, whose last bits depend on the number of BLAS threads."""
    noise = np.random.default_rng(job.seed).normal(size=(40, job.load.size))
    return Sum(noise @ job.load, os.getpid(), bool(job.load.flags.writeable))


def marked(job: Job) -> Sum:
    """As `drawn`, leaving a mark."""
    (Path(job.marks) / f"{job.seed}-{os.getpid()}").touch()
    return drawn(job)


def killed_once(job: Job) -> Sum:
    """As `drawn`; the process of seed 3 is killed the first time."""
    mark = Path(job.marks) / "killed"
    if job.seed == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return drawn(job)


def always_killed(job: Job) -> Sum:
    """A process that never answers."""
    os.kill(os.getpid(), signal.SIGKILL)
    return drawn(job)


def refused(job: Job) -> Sum:
    """A task that cannot be done."""
    raise ValueError(f"no answer for seed {job.seed}")

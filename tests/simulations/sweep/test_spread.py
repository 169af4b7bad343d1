"""Tasks over processes of this machine: the same results, however many, and a lost process loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulations.sweep.spread import Cores, WorkersLost, spread
from tests.simulations.sweep.works import Job, always_killed, drawn, killed_once, refused

if TYPE_CHECKING:
    from pathlib import Path

LOAD = np.random.default_rng(0).normal(size=300_000)  # 2.4 MB


def jobs(number: int, marks: str = "", load_size: int = 1000) -> list[Job]:
    return [Job(seed, LOAD[:load_size].copy(), marks) for seed in range(number)]


def test_one_job_works_in_this_process() -> None:
    done = dict(spread(drawn, jobs(3), Cores(1)))
    assert sorted(done) == [0, 1, 2]
    assert len({each.process for each in done.values()}) == 1


@pytest.mark.integration
def test_two_processes_give_the_same_bits_as_one() -> None:
    alone = dict(spread(drawn, jobs(6), Cores(1)))
    beside = dict(spread(drawn, jobs(6), Cores(2)))
    assert [beside[number].drawn.tobytes() for number in range(6)] == [alone[n].drawn.tobytes() for n in range(6)]
    assert alone[0].process not in {each.process for each in beside.values()}


@pytest.mark.integration
def test_large_arrays_can_be_written_to_in_other_processes() -> None:
    tasks = [Job(seed, LOAD) for seed in range(2)]
    assert all(each.writable for _, each in spread(drawn, tasks, Cores(2)))


@pytest.mark.integration
def test_a_killed_process_loses_no_task(tmp_path: Path) -> None:
    done = dict(spread(killed_once, jobs(8, str(tmp_path)), Cores(2)))
    assert (tmp_path / "killed").exists()
    assert sorted(done) == list(range(8))
    alone = dict(spread(drawn, jobs(8), Cores(1)))
    assert all(done[number].drawn.tobytes() == alone[number].drawn.tobytes() for number in done)


@pytest.mark.integration
def test_processes_that_always_end_are_given_up() -> None:
    with pytest.raises(WorkersLost, match=r"ended 3 times without a result, with 4 of 4 tasks left"):
        list(spread(always_killed, jobs(4), Cores(2)))


def test_a_task_that_cannot_be_done_says_why() -> None:
    with pytest.raises(ValueError, match="no answer for seed 0"):
        list(spread(refused, jobs(2), Cores(1)))

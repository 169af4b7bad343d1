"""Sweeps: the same answers however they are cut, and what is done is not done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulations.load_file import Load
from simulations.sweep import pieces as pieces_module
from simulations.sweep.pieces import OtherForesail, edition, pieces_of, runs_of
from simulations.sweep.spread import Cores
from simulations.sweep.store import Store
from simulations.sweep.sweep import Progress, answers_of
from simulations.whatif.answer import Runs, summary
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.simulations.sweep.scenarios import variants

if TYPE_CHECKING:
    from pathlib import Path

    from simulations.whatif.answer import Answer

LEVELS = "workloads[0].load.generate.level=40,60"


def bits(answers: list[Answer]) -> list[bytes]:
    return [each.by_run.values.tobytes() for each in answers]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut as if the scenario were large: two runs a piece."""
    monkeypatch.setattr(pieces_module, "PIECE_LANE_STEPS", 400)


def test_a_sweep_is_what_each_variant_alone_would_have_been() -> None:
    given = variants(LEVELS)
    assert bits(answers_of(given, Cores(1))) == [
        answered(scenario, inputs).values.tobytes() for scenario, inputs in given
    ]


@pytest.mark.usefixtures("small_pieces")
def test_pieces_do_not_change_the_answer() -> None:
    given = variants(LEVELS)
    assert [piece.runs for piece in pieces_of(given)] == [range(2), range(2, 4), range(4, 6)] * 2
    whole = [summary(scenario, answered(scenario, inputs)) for scenario, inputs in given]
    assert bits(answers_of(given, Cores(1))) == bits(whole)


@pytest.mark.integration
@pytest.mark.usefixtures("small_pieces")
def test_two_processes_give_the_same_bits(tmp_path: Path) -> None:
    given = variants(LEVELS)
    beside = answers_of(given, Cores(2), store=Store(tmp_path, Runs))
    assert bits(beside) == bits(answers_of(given, Cores(1)))
    assert len(list(tmp_path.glob("*.fsp"))) == 6


@pytest.mark.usefixtures("small_pieces")
def test_a_sweep_goes_on_from_what_is_done(tmp_path: Path) -> None:
    store, given = Store(tmp_path, Runs), variants(LEVELS)
    told: list[Progress] = []
    first = answers_of(given, Cores(1), store=store, told=told.append)
    assert told == [Progress(6, done, 0) for done in range(7)]
    kept = sorted(tmp_path.iterdir())
    kept[0].unlink()
    kept[1].write_bytes(kept[1].read_bytes()[:-7])
    told.clear()
    again = answers_of(given, Cores(1), store=store, told=told.append)
    assert told == [Progress(6, 4, 4), Progress(6, 5, 4), Progress(6, 6, 4)]
    assert bits(again) == bits(first)


@pytest.mark.usefixtures("small_pieces")
def test_more_runs_go_on_from_fewer(tmp_path: Path) -> None:
    store = Store(tmp_path, Runs)
    answers_of(variants(), Cores(1), store=store)
    told: list[Progress] = []
    more = answers_of(variants(runs=10, name="renamed"), Cores(1), store=store, told=told.append)
    assert told[0] == Progress(5, 3, 3)
    assert bits(more) == bits(answers_of(variants(runs=10), Cores(1)))


@pytest.mark.usefixtures("small_pieces")
def test_what_is_stopped_keeps_what_is_done(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers_of(variants(), Cores(1), store=Store(tmp_path, Runs), told=stop)
    assert len(list(tmp_path.iterdir())) == 2


def test_keys_tell_apart_what_matters_alone() -> None:
    def key(inputs: Inputs, **changed: object) -> str:
        return pieces_of([(scenario.model_copy(update=changed), inputs)])[0].key

    (scenario, nothing), load = variants()[0], Load(np.arange(3.0), np.ones(3))
    same, other = key(nothing), key(Inputs({"chat": load}))
    assert same == key(nothing, name="x", description="y")
    assert same != key(nothing, seed=2)
    assert same != other
    assert other != key(Inputs({"chat": Load(np.arange(3.0), np.full(3, 2.0))}))
    assert other != key(Inputs(spot={"chat": load}))


def test_another_foresail_is_refused() -> None:
    (piece,) = pieces_of(variants())
    assert piece.edition == edition()
    other = type(piece)(piece.variant, piece.scenario, piece.inputs, piece.runs, piece.key, "another")
    with pytest.raises(OtherForesail, match="install the same on all"):
        runs_of(other)

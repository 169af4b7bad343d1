"""A sweep as pieces of work: some runs of one variant each, under a key that says all that its result depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import policies
import simulations
from simulations.whatif.simulate import answered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulations.whatif.answer import Runs
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs

PIECE_LANE_STEPS = 20_000_000  # of plain rules, about two seconds
FORECASTING = 500  # times as long as a plain rule takes a policy that forecasts
HEDGING = 600  # and one whose spot is hedged
_NO_MATTER = ("name", "description", "runs")  # of a scenario, to any one of its runs
_NO_FIGURES = ("audit", "report")  # folders whose code no answer depends on
_NUMBERS = ("numba", "numpy", "scikit-learn", "scipy")


class OtherForesail(RuntimeError):
    """A worker runs another Foresail than the command; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some runs of one scenario, and what computes them."""

    variant: int
    scenario: Scenario
    inputs: Inputs
    runs: range
    key: str
    edition: str

    @property
    def size(self) -> float:
        """How long it takes, as a share of about two seconds."""
        return len(self.runs) * _steps_of_run(self.scenario) / PIECE_LANE_STEPS


def pieces_of(variants: Sequence[tuple[Scenario, Inputs]]) -> list[Piece]:
    """Every variant's runs in pieces of some seconds.

    How they are cut depends on the scenario alone, so that a sweep goes on with any number of processes.
    """
    digests = {id(inputs): _digest(inputs) for _, inputs in variants}
    return [
        Piece(number, scenario, inputs, runs, _key(scenario, digests[id(inputs)], runs), edition())
        for number, (scenario, inputs) in enumerate(variants)
        for runs in _cut(scenario)
    ]


def runs_of(piece: Piece) -> Runs:
    """Run one piece. Raises OtherForesail, and what `answered` raises."""
    if piece.edition != edition():
        raise OtherForesail(
            "a worker runs another Foresail, or other versions of NumPy, SciPy, scikit-learn or Numba, than this"
            " command; install the same on all"
        )
    return answered(piece.scenario, piece.inputs, runs=piece.runs)


@cache
def edition() -> str:
    """What computes: a digest of the code of `policies` and `simulations`, and of the libraries that count."""
    digest = hashlib.sha256()
    for folder in (Path(each) for package in (policies, simulations) for each in package.__path__):
        for path in sorted(folder.rglob("*.py")):
            place = path.relative_to(folder)
            if place.parts[0] not in _NO_FIGURES:
                digest.update(f"{place}\0".encode() + path.read_bytes())
    for name in _NUMBERS:
        digest.update(f"{name}=={version(name)}\0".encode())
    return digest.hexdigest()


def _cut(scenario: Scenario) -> Iterable[range]:
    at_once = max(1, PIECE_LANE_STEPS // _steps_of_run(scenario))
    return (range(first, min(first + at_once, scenario.runs)) for first in range(0, scenario.runs, at_once))


def _steps_of_run(scenario: Scenario) -> int:
    """Steps of all lanes of one run; forecasts and hedged spot count as often as they take longer.

    Policies that forecast alike do so once.
    """
    forecasts = {
        (each.replicas, each.objective, each.schedule, each.engine)
        for each in scenario.policies
        if each.replicas in ("predictive", "reactive")
    }
    hedged = sum(each.mix == "foresail" for each in scenario.policies)
    rules = len(scenario.policies) + FORECASTING * len(forecasts) + HEDGING * hedged
    return scenario.steps * rules * len(scenario.workloads)


def _key(scenario: Scenario, inputs: str, runs: range) -> str:
    """Of everything that these runs depend on."""
    document = {name: value for name, value in scenario.document().items() if name not in _NO_MATTER}
    told = json.dumps([edition(), document, inputs, runs.start, runs.stop], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _digest(inputs: Inputs) -> str:
    digest = hashlib.sha256()
    for kind, held in (("load", inputs.loads), ("spot", inputs.spot)):
        for name, load in sorted(held.items()):
            digest.update(f"{kind}\0{name}\0{load.at_s.size}\0".encode() + load.at_s.tobytes() + load.value.tobytes())
    return digest.hexdigest()

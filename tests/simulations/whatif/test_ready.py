"""Every ready scenario runs, with generated loads alone, and its answer is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import simulations
from simulations.whatif.answer import summary
from simulations.whatif.document import Scenario, scenario_from
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered

FOLDER = Path(simulations.__file__).parent / "scenarios"
READY = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def ready(name: str) -> Scenario:
    return scenario_from(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")), source=name)


def small(name: str) -> Scenario:
    """A ready scenario of a day in two runs."""
    return ready(name).model_copy(update={"days": 1, "runs": 2, "warmup": 0.0})


def test_the_questions_that_come_with_foresail() -> None:
    assert READY == [
        "five-levers",
        "fixed-peak",
        "morning-peak",
        "night-trough",
        "product-launch",
        "quantised-model",
        "recovery",
        "save-40",
        "zone-lost",
    ]


@pytest.mark.parametrize("name", READY)
def test_runs_at_small_size(name: str) -> None:
    asked = ready(name)
    assert asked.name == name
    assert asked.description
    assert all(each.load.generate for each in asked.workloads)
    answer = summary(small(name), answered(small(name), Inputs()))
    assert [each.name for each in answer.policies] == [each.name for each in asked.policies]
    assert np.isfinite(answer.by_run.values).all()
    assert all(each.figures["cost"].mean > 0 for each in answer.policies)
    assert all(0 <= each.figures["late_ratio"].mean <= 1 for each in answer.policies)


def test_each_lever_saves_and_all_together_save_most() -> None:
    week = ready("five-levers").model_copy(update={"days": 7, "runs": 2})
    saved = {each.name: each.saving_ratio.mean for each in summary(week, answered(week, Inputs())).policies}
    levers = [saved[name] for name in ("schedules", "regions", "commitments", "spot", "right-sizing")]
    assert min(levers) > 0.02
    assert saved["all"] > max(levers)

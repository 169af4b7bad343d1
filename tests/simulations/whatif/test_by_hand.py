"""The scenarios that docs/whatif.md costs by hand: the simulator agrees to the cent."""

from __future__ import annotations

import re

import pytest
import yaml

from simulations.whatif.document import scenario_from
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.architecture.source import ROOT

BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
DOCUMENTS = [yaml.safe_load(text) for text in BLOCK.findall((ROOT / "docs" / "whatif.md").read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("name", "cents"), [pytest.param(f"by-hand-{place}", cents) for place, cents in ((1, 734), (2, 329), (3, 455))]
)
def test_costs_as_by_hand(name: str, cents: int) -> None:
    (document,) = [each for each in DOCUMENTS if each["name"] == name]
    cost = float(answered(scenario_from(document, source=name), Inputs()).column("cost")[0, 0])
    assert round(cost * 100) == cents

"""The reports of simulate, sweep and compare in a real browser: no complaint, light and dark, on a phone too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from simulations.report.answer_page import answer_page
from simulations.report.frame import framed
from simulations.whatif.answer import summary
from simulations.whatif.day import typical_days
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.integration.servers.chromium import View
from tests.simulations.sweep.scenarios import document
from tests.simulations.whatif.test_ready import READY, small

if TYPE_CHECKING:
    from tests.integration.servers.chromium import Chromium

VIEWS = (View(1180), View(1180, "dark"), View(390, phone=True), View(390, "dark", phone=True))
# Plots: cost against late, by type, drivers, and a day of two policies; cost against late, and two figures along each
# of two places; cost against late, and drivers.
PAGES = [
    pytest.param(["simulate", "before.yaml"], 5, id="simulate"),
    pytest.param(
        ["sweep", "before.yaml", "--vary", "workloads[0].load.generate.level=40,60", "--vary", "seed=1,2,3"],
        5,
        id="sweep",
    ),
    pytest.param(["compare", "before.yaml", "after.yaml"], 2, id="compare"),
]


@pytest.mark.parametrize(("command", "plots"), PAGES)
async def test_a_report_opens_without_a_complaint(
    command: list[str], plots: int, chromium: Chromium, tmp_path: Path
) -> None:
    after = document()
    after["capacity"]["pools"][1]["price"] = 0.9
    for name, content in (("before", document()), ("after", after)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    foresail = str(Path(sys.executable).parent / "foresail")
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        [foresail, *command, "--jobs", "1", "-o", "html"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    page = tmp_path / "page.html"
    page.write_text(done.stdout)
    for elsewhere in ("<script", "http://", "https://", "@import", "url("):
        assert elsewhere not in done.stdout
    pictures = set()
    for view in VIEWS:
        seen = await chromium.look(page, view)
        assert seen.complaints == []
        assert seen.plots == plots
        assert seen.page_width <= view.width
        assert seen.window_width == view.width
        pictures.add(seen.picture)
    assert len(pictures) == len(VIEWS)  # dark is not light


@pytest.mark.parametrize("name", READY)
async def test_the_report_of_a_ready_scenario_opens_without_a_complaint(
    name: str, chromium: Chromium, tmp_path: Path
) -> None:
    asked, page = small(name), tmp_path / "page.html"
    answer = summary(asked, answered(asked, Inputs()))
    page.write_text(answer_page(answer, typical_days(asked, Inputs())))
    for view in VIEWS[::3]:
        seen = await chromium.look(page, view)
        assert seen.complaints == []
        assert seen.plots == 3 + len(asked.policies)  # cost against late, by type, drivers; and a day of each policy
        assert seen.page_width <= view.width


async def test_the_browser_complains_of_what_is_wrong(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(framed("wrong", ["<script>window.x.y()</script><p style='width: 900px'>wide</p>"]))
    seen = await chromium.look(page, View(390, phone=True))
    assert "Content Security Policy" in str(seen.complaints)
    assert seen.page_width > 390

"""How ready a workload is, through the API and on the command line: of the real loop, and of figures that were set."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest

from controller.web.readiness import measured_of, readiness
from policies.model import Hold
from policies.projection.origin import Left
from tests.controller.cli.shared import run
from tests.controller.decisions import decided, with_standing
from tests.controller.web.running import staged
from tests.controller.web.test_api import report

if TYPE_CHECKING:
    from pathlib import Path

    from controller.records import TickReport

PATH = "/api/v1/workloads/shop/web/readiness"


async def test_a_workload_that_has_just_begun_is_not_ready_and_says_what_is_missing(tmp_path: Path) -> None:
    async with staged(tmp_path, "web") as stage:
        for _ in range(12):
            await stage.tick()
        async with aiohttp.ClientSession() as session, session.get(stage.url + PATH) as answer:
            found: dict[str, Any] = await answer.json()
        done = await asyncio.to_thread(run, "ready", "shop/web", "--url", stage.url, "--to", "floor")
        shown = await asyncio.to_thread(run, "ready", "web", "-n", "shop", "--url", stage.url, "-o", "json")
    assert (answer.status, found["kind"], found["savings"]) == (200, "WorkloadReadiness", None)
    assert [step["to"] for step in found["steps"]] == ["floor", "active"]
    met = {each["name"]: each["ok"] for each in found["steps"][1]["criteria"]}
    expected = {"target": True, "owner": True, "data": True, "capacity": True}
    assert met == {**expected, **dict.fromkeys(("evidence", "calibration", "missed", "cost"), False)}
    assert done.exit_code == shown.exit_code == 3
    assert "not ready for floor: 4 criteria are not met" in done.stderr
    assert "calibration: wait for more load to learn from" in done.stderr
    assert [step["to"] for step in json.loads(shown.stdout)["steps"]] == ["active"]  # its mode is active already


def _told(made: TickReport) -> dict[str, Any]:
    return dict(readiness(made, None, 0))


def test_what_is_saved_against_the_autoscaler_in_place() -> None:
    made = report(with_standing(decided("shop/web", load=[30.0]), 37))
    # 8.5 replicas in shadow, 11 of the incumbent.
    assert _told(made)["savings"] == {
        "replicas": 2.5,
        "ratio": pytest.approx(2.5 / 11),
        "perHour": None,
        "lateRatio": 0.006,
        "incumbentLateRatio": 0.002,
    }
    assert _told(report(with_standing(decided("shop/web"), 37, known_h=0.5)))["savings"] is None


def test_who_else_scales_it_is_in_the_way_of_active_alone() -> None:
    made = replace(report(decided("shop/web", load=[30.0])), owners={"shop/web": "HPA web scales it; delete it"})
    floor, active = _told(made)["steps"]
    assert "owner" not in {each["name"] for each in floor["criteria"]}
    [owner] = [each for each in active["criteria"] if each["name"] == "owner"]
    assert (owner["ok"], owner["mend"]) == (False, "HPA web scales it; delete it")


def test_a_target_that_cannot_be_seen_is_told_as_that() -> None:
    made = decided("shop/web", hold=Hold.NO_TARGET)
    found = measured_of(replace(report(made), owners={"shop/web": "it is not there"}), None, 0)
    assert (found.unseen, found.owner) == ("it is not there", None)


def test_minutes_without_data_count_from_the_first_one_on() -> None:
    made = decided("shop/web", load=[30.0])
    history, nothing = made.state.history, np.zeros(1)
    for minute in (0, 1, 2, 4, 5, 9):  # of the ten minutes 0 to 9
        history = history.append(6000.0 + 60 * minute, np.array([30.0]), np.array([True]), nothing)
    left = Left(replace(made.state, history=history), None)  # type: ignore[arg-type]  # models are not looked at
    seen = replace(report(made), at_s=6600.0)
    assert measured_of(seen, left, 0).data_ratio == pytest.approx(0.6)

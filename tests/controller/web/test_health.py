"""What state Foresail is in, every reason for it, and since when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.records import FLEET, Intervention, SourceHealth
from controller.web import Check
from controller.web.health import StateLog, state_of
from policies.model import Hold, Status
from tests.controller.decisions import decided
from tests.controller.web.test_api import report

if TYPE_CHECKING:
    from controller.records import TickReport

FINE = [Check("loop", ok=True)]
TOLD = Intervention("1", 1000.0, FLEET, "pause", "anna", "incident 7", 4600.0)


def fine() -> TickReport:
    """A tick in which nothing was wrong; its one signal is fresh."""
    found = report(decided("shop/web", load=[16]))
    readings = replace(found.decision.readings, status=np.array([Status.FRESH], np.int8))
    return replace(found, decision=replace(found.decision, readings=readings))


def test_before_a_tick_it_starts_and_after_a_good_one_it_is_healthy() -> None:
    assert state_of(None, FINE) == ("starting", ("no tick has come to a decision yet",))
    waiting = [Check("cluster", ok=False, message="not reached")]
    assert state_of(None, waiting) == ("starting", ("[-]cluster failed: not reached",))
    assert state_of(fine(), FINE) == ("healthy", ("1 workload, every source answers",))


@pytest.mark.parametrize(
    ("found", "checks", "reason"),
    [
        pytest.param(fine(), [Check("loop", ok=False, message="90 s ago")], "[-]loop failed: 90 s ago", id="loop"),
        pytest.param(
            replace(fine(), sources=(SourceHealth("prometheus", ok=False, message="refused"),)),
            FINE,
            "prometheus does not answer: refused",
            id="source",
        ),
        pytest.param(replace(fine(), problems=("a", "b")), FINE, "2 problems", id="problems"),
        pytest.param(replace(fine(), quarantined={"shop/x": "y"}), FINE, "1 workload in quarantine", id="quarantine"),
    ],
)
def test_what_is_wrong_degrades_it(found: TickReport, checks: list[Check], reason: str) -> None:
    assert state_of(found, checks) == ("degraded", (reason,))


def test_safe_mode_says_more_than_a_pause_and_a_pause_more_than_a_problem() -> None:
    paused = replace(fine(), interventions={FLEET: TOLD}, problems=("a",))
    name, reasons = state_of(paused, FINE)
    assert (name, reasons) == (
        "paused",
        ("anna paused all workloads until 1970-01-01T01:16:40.000Z: incident 7", "1 problem"),
    )
    name, reasons = state_of(replace(paused, killed="ConfigMap foresail/kill-switch"), FINE)
    assert name == "safe_mode"
    assert reasons[0] == "the kill switch is on, so nothing is changed: ConfigMap foresail/kill-switch"
    blind = report(decided("shop/web", hold=Hold.CLUSTER_DOWN))
    assert state_of(blind, FINE)[1] == (
        "what is known of the cluster is too old, so nothing is changed there",
        "no signal is fresh, so nothing is lowered",
    )


def test_a_state_lasts_since_it_began_whatever_speaks_for_it() -> None:
    now = [10.0]
    log = StateLog(lambda: now[0])
    assert log.of(None, FINE).since_s == 10.0
    now[0] = 20.0
    assert log.of(replace(fine(), problems=("a",)), FINE).since_s == 20.0
    now[0] = 30.0
    later = log.of(replace(fine(), problems=("a", "b")), FINE)
    assert (later.since_s, later.reasons) == (20.0, ("2 problems",))
    assert log.of(fine(), FINE).since_s == 30.0

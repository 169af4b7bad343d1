"""The daemon killed in the middle of what it must not forget: windows, rate budgets, the fleet breaker, history."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from controller.journal import Journal
from controller.loop import recalled
from tests.integration.daemon import PATIENCE_S
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

WINDOW_S = 20
SEEN_WITHIN_S = 6.0  # a change is seen this much later: a tick and a look at the API server, on a busy machine
SLOW_TICKS = {"interval": "3s"}  # so that a restart is no gap in the ticks, which would begin windows anew


async def test_a_stabilisation_window_holds_through_kill_9(stage: Stage) -> None:
    stage.settings |= SLOW_TICKS
    stage.policy(behavior={"scaleDown": {"stabilizationWindowSeconds": WINDOW_S}}, forecast={"enabled": True})
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        peak_at_s = _at_s(stage, 35)
        stage.load(7)
        peak_at_s = max(peak_at_s, _last_at_s(stage, high=35, low=7))
        daemon.process.kill()
        await _journal_holds(stage, peak_at_s)
        daemon.process.start()
        stage.shows(lambda shown: shown["signals"][0]["value"] == 7)
        back_at_s = time.time()
        await stage.asks(1, WINDOW_S + PATIENCE_S)
        lowered_at_s = time.time()
        assert lowered_at_s >= peak_at_s + WINDOW_S, "lowered before the window was over"
        # Without its memory it would begin a window of its own when it is back.
        assert lowered_at_s < max(peak_at_s + WINDOW_S, back_at_s) + SEEN_WITHIN_S
        assert "state recalled" in daemon.process.log_tail()
        assert daemon.stop() == 0


async def test_a_written_rate_budget_holds_through_kill_9(stage: Stage) -> None:
    slow = [{"type": "Pods", "value": 3, "periodSeconds": WINDOW_S}]
    stage.policy(behavior={"scaleUp": {"policies": slow}})
    with stage.daemon as daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        began_s = time.time()
        stage.load(100)  # 15 replicas
        await stage.asks(5)
        daemon.process.kill()
        daemon.process.start()
        stage.shows(lambda shown: shown["action"])
        if time.time() < began_s + WINDOW_S - SEEN_WITHIN_S:
            assert await stage.replicas() == 5
        await stage.asks(8, WINDOW_S + PATIENCE_S)
        assert time.time() >= began_s + WINDOW_S, "3 in 20 s were used up"


async def test_the_fleet_breaker_holds_through_kill_9(stage: Stage) -> None:
    stage.settings |= {"removal_ratio": 0.5, "removal_window": f"{WINDOW_S}s"}
    with stage.daemon as daemon:
        stage.load(70)
        await stage.scaled(10)
        began_s = time.time()
        stage.load(7)
        await stage.asks(5)
        daemon.process.kill()
        daemon.process.start()
        stage.shows(lambda shown: shown["action"])
        await stage.asks(3, WINDOW_S + PATIENCE_S)  # half of 5, rounded down, may go
        assert time.time() >= began_s + WINDOW_S, "half of 10 in 20 s were used up"


async def _journal_holds(stage: Stage, peak_at_s: float) -> None:
    """The decision on the peak and its minute of history are in the journal."""
    journal = await Journal.reader(f"sqlite+aiosqlite:///{stage.folder / 'daemon' / 'state' / 'foresail.db'}")
    try:
        explained = await journal.explain(f"{stage.namespace}/web", peak_at_s)
        assert explained is not None
        assert explained.decision.target == 5
        recall = recalled(await journal.restore())
    finally:
        await journal.close()
    assert recall is not None
    assert recall.state.history.window(120, peak_at_s).known.any()


def _at_s(stage: Stage, value: float) -> float:
    """When the last decision was made, on this value of the signal."""
    shown = stage.shows(lambda shown: shown["signals"][0]["value"] == value)
    return datetime.fromisoformat(shown["at"]).timestamp()


def _last_at_s(stage: Stage, *, high: float, low: float) -> float:
    """When the last decision was made on the high value, as far as was seen, once one was made on the low value."""
    seen = [0.0]

    def fallen() -> bool:
        shown = stage.workload()
        if shown["signals"][0]["value"] == high:
            seen.append(datetime.fromisoformat(shown["at"]).timestamp())
        return bool(shown["signals"][0]["value"] == low)

    eventually(fallen, PATIENCE_S)
    return max(seen)

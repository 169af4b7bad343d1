"""How long a replay of thirty days takes, and how much of it is not the core's own time."""

import os
import platform
import time
from dataclasses import dataclass

import pytest

from policies.engine import decide
from policies.model import Decision, Fleet, Observation
from policies.state import EngineState
from simulations.replay import Lane, ReplayPolicy, replay
from simulations.scenario import Pace, scored
from simulations.serving import Serving
from simulations.traffic import Daily, FlashCrowds, Noise, Traffic, Weekly, generate

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

DAYS = 30
STEPS = DAYS * 2880
MONDAY_S = 1_700_438_400.0
SHAPES = (Daily(0.6), Weekly(), Noise(0.1, 600.0), FlashCrowds(1.0, 2.0))


@pytest.mark.parametrize("policy", ["hpa:0.70", "predictive"])
def test_thirty_days_at_one_minute(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = generate(Traffic(1500.0, SHAPES, seed=1), start_s=MONDAY_S, steps=DAYS * 1440, step_s=60.0)
    lane = Lane(minutes.repeat(2), Serving(30.0, 100.0, 0.8, 60.0))
    core = _Core()
    monkeypatch.setattr("simulations.replay.decide", core.decide)
    began_s = time.perf_counter()
    plan = replay([lane], ReplayPolicy.parse(policy), Pace(), start_s=MONDAY_S)[0]
    wall_s = time.perf_counter() - began_s
    figures = scored(plan, lane, warmup_steps=3 * 2880)
    print(  # noqa: T201 - a benchmark shows its figures
        f"\nreplay {policy}, {DAYS} days, {STEPS} steps, {2 * STEPS} decisions, one lane: {wall_s:.1f} s, "
        f"{1e6 * wall_s / (2 * STEPS):.0f} us a decision, of which {1e6 * core.spent_s / (2 * STEPS):.0f} in the core; "
        f"cost {figures.cost_ratio:.3f}, late {figures.late_ratio:.4f} "
        f"({platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()})"
    )
    assert plan.size == STEPS


@dataclass
class _Core:
    """The decision core with a stopwatch on it."""

    spent_s: float = 0.0

    def decide(self, fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
        began_s = time.perf_counter()
        decided = decide(fleet, state, seen)
        self.spent_s += time.perf_counter() - began_s
        return decided

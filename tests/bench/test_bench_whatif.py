"""How many lane-steps a second a what-if runs, and in how many repetitions its intervals hold the known answer."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from simulations.whatif.document import scenario_from
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.simulations.whatif.builders import document, workload
from tests.simulations.whatif.known import covered

if TYPE_CHECKING:
    from simulations.whatif.document import Scenario

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SCENARIOS, DAYS = 256, 30
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
LOAD = {"level": 50, "daily": {"swing": 0.6}, "noise": {"sigma": 0.1, "correlation": "10m"}}
STARTUP = [{"share": 0.7, "time": "1m"}, {"share": 0.3, "time": "5m"}]


def variant(number: int, policies: list[dict[str, object]], *, days: float, sync: str) -> Scenario:
    """One of many scenarios of one run, as a sweep makes them: its own level and seed."""
    load = {**LOAD, "level": 30 + number % 50}
    written = document(
        seed=number,
        days=days,
        sync=sync,
        workloads=[workload({"generate": load}, replica={"startup": STARTUP})],
        policies=policies,
        capacity={"pools": [{"name": "on-demand", "price": 1.0}], "nodes": {"consolidation": "5m"}},
    )
    return scenario_from(written, source="bench")


@pytest.mark.parametrize(
    ("rule", "sync"), [("fixed:peak", "1m"), ("hpa:0.70", "1m"), ("hpa:0.70", "15s"), ("kpa", "1m")]
)
def test_many_scenarios_of_thirty_days_at_one_minute(rule: str, sync: str) -> None:
    scenarios = [
        variant(number, [{"name": "one", "replicas": rule}], days=DAYS, sync=sync) for number in range(SCENARIOS)
    ]
    answered(scenarios[0], Inputs())  # compiled
    lane_steps = SCENARIOS * scenarios[0].steps
    began_s = time.process_time()
    wall_s = [timed(scenarios, threads) for threads in (1, 2)]
    each_s = (time.process_time() - began_s) / 2  # on a machine that does other things too, walls say less
    print(  # noqa: T201 - a benchmark shows its figures
        f"\n{SCENARIOS} scenarios of {rule}, {DAYS} days at one minute, decisions every {sync} ({MACHINE}): one thread"
        f" {wall_s[0]:.2f} s, two {wall_s[1]:.2f} s ({lane_steps / wall_s[1] / 1e6:.1f} million lane-steps/s),"
        f" processor {each_s:.2f} s ({lane_steps / each_s / 1e6:.1f} million lane-steps/s and core)"
    )
    assert lane_steps / each_s > 1e6


def timed(scenarios: list[Scenario], threads: int) -> float:
    """Wall time of all scenarios."""
    began_s = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda each: answered(each, Inputs()), scenarios))
    return time.perf_counter() - began_s


def test_the_forecasting_rule() -> None:
    asked = variant(0, [{"name": "one", "replicas": "predictive"}], days=1, sync="15s").model_copy(update={"runs": 64})
    answered(asked, Inputs(), runs=range(1))  # compiled
    began_s = time.perf_counter()
    answered(asked, Inputs())
    wall_s = time.perf_counter() - began_s
    rate = 64 * asked.steps / wall_s
    print(f"\n64 runs of predictive, a day at one minute, decided every 30 s: {rate:,.0f} lane-steps/s ({MACHINE})")  # noqa: T201 - a benchmark shows its figures
    assert rate > 3_000


def test_intervals_hold_the_known_answer() -> None:
    share = covered(range(1000))
    print(f"\nthe known answer lies in the 95 % interval of 20 runs, share of 1,000 repetitions: {share}")  # noqa: T201 - a benchmark shows its figures
    assert all(0.93 <= each <= 0.97 for each in share.values())

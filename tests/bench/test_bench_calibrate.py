"""How often the truth lies in a calibration's 95 % interval, on servers whose curve and limit are known, as Markdown.

And on the requests of shared/data/events as the load offered to a simulated server of language models.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from policies.calibration.calibrate import calibrate
from policies.calibration.objective import LatencyObjective
from tests.bench.judged import header, row, show
from tests.policies.calibration.servers import BOUNDS_S, Server, daily_load
from tests.policies.calibration.token_server import ITL, TokenServer
from tests.simulations.shared import SHARED

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.calibration.estimates import Interval

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

EVENTS = SHARED / "data" / "events" / "azure_llm_2023_conv.parquet"
REPETITIONS = 200
WINDOWS = 4_320  # three days
PACES = (0.6, 0.75, 0.9, 1.0, 1.1, 1.2, 1.3, 0.8)  # at which the recorded hour is played, one after the other
LEAST = 0.90  # 200 repetitions of 95 % are below that once in 500


@dataclass(frozen=True, slots=True)
class Case:
    server: Server
    mean: float  # load per replica
    objective: LatencyObjective
    replicas: float = 4.0


CASES = {
    "language model": Case(Server(), 900, LatencyObjective.parse("itl=30ms@p95")),
    "noisy": Case(Server(noise=0.15), 900, LatencyObjective.parse("itl=30ms@p95")),
    "even and nearly full": Case(
        Server(spread=0.1, noise=0.02, memory=0.5), 1400, LatencyObjective.parse("itl=25ms@p95"), 8.0
    ),
    "web server": Case(Server(0.05, 0.02, spread=0.6), 20, LatencyObjective.parse("itl=200ms@p95"), 3.0),
    "few requests": Case(Server(0.05, 0.2, spread=0.6, memory=0.3), 2, LatencyObjective.parse("itl=150ms@p95"), 2.0),
    "99th percentile": Case(Server(spread=0.4), 900, LatencyObjective.parse("itl=50ms@p99")),
    "noise that lasts": Case(Server(noise=0.1, memory=0.97), 900, LatencyObjective.parse("itl=30ms@p95")),
}


def holds(told: Interval, truth: float) -> bool:
    low, high = (-np.inf if told.low is None else told.low), (np.inf if told.high is None else told.high)
    return bool(low <= truth <= high)


@pytest.mark.parametrize("name", CASES)
def test_the_truth_lies_in_the_interval(name: str) -> None:
    case = CASES[name]
    truth = case.server.limit_per_s(case.objective.at_most_s, case.objective.quantile)
    hits, widths, began_s = [], [], time.perf_counter()
    for seed in range(REPETITIONS):
        load = np.minimum(daily_load(case.mean, 0.5, windows=WINDOWS, seed=seed), 0.9 / case.server.each_s)
        seen = case.server.history(load, replicas=case.replicas, seed=10_000 + seed)
        found = calibrate(seen, [case.objective])
        assert found.curve is not None
        hits.append(
            (
                holds(found.kept[0].limit.interval, truth),
                holds(found.curve.base(), case.server.base_s),
                holds(found.curve.each(), case.server.each_s),
            )
        )
        if found.serving.low is not None and found.serving.high is not None:
            widths.append((found.serving.high - found.serving.low) / truth)
    shares = np.mean(hits, axis=0)
    show(
        *header("server", "limit in interval", "base in interval", "each in interval", "width of limit's", "s each"),
        row(
            name,
            *(f"{100 * share:.1f} %" for share in shares),
            f"{100 * np.mean(widths):.1f} %",
            f"{(time.perf_counter() - began_s) / REPETITIONS:.2f}",
        ),
    )
    assert shares[0] >= LEAST


def offered() -> tuple[FloatArray, IntArray, IntArray]:
    if not EVENTS.is_file():
        pytest.skip(f"{EVENTS} is not there: set FORESAIL_SHARED to the folder that holds data/events/")
    table = pq.read_table(EVENTS)
    at_s, prompt, output = (
        np.asarray(table.column(name).to_numpy(), np.float64) for name in ("timestamp", "input_tokens", "output_tokens")
    )
    return at_s - at_s[0], prompt.astype(np.int64), np.maximum(output, 1).astype(np.int64)


@pytest.mark.parametrize(
    ("server", "objective"),
    [
        pytest.param(TokenServer(), "itl=20ms@p95", id="0.3-ms-a-request"),
        pytest.param(TokenServer(each_s=0.0002), "itl=20ms@p95", id="0.2-ms-a-request"),
        pytest.param(TokenServer(each_s=0.0005), "itl=40ms@p95", id="0.5-ms-a-request"),
    ],
)
def test_recorded_requests_as_offered_load(server: TokenServer, objective: str) -> None:
    """The curve is found, and at the limit fresh requests of the same sizes are about as late as may be."""
    at_s, prompt, output = offered()
    kept = LatencyObjective.parse(objective)
    begins_s = np.cumsum([0.0, *(at_s[-1] / pace for pace in PACES)])
    many = np.concatenate([at_s / pace + begin_s for pace, begin_s in zip(PACES, begins_s, strict=False)])
    again = [np.tile(each, len(PACES)) for each in (prompt, output)]
    found = calibrate(server.serve(many, again[0], again[1], window_s=60.0, until_s=float(many[-1])), [kept])

    assert found.curve is not None
    assert holds(found.curve.base(), server.base_s)
    assert holds(found.curve.each(), server.each_s)
    told = found.serving
    late = {
        end: _late(server, (prompt, output), load, kept)
        for end, load in (("low", told.low), ("high", told.high))
        if load
    }
    show(
        *header("server", "base ms", "each ms", "limit", "interval", "late at its ends"),
        row(
            f"{1000 * server.base_s:g} + {1000 * server.each_s:g} n ms",
            f"{1000 * found.curve.base_s:.2f}",
            f"{1000 * found.curve.each_s:.3f}",
            str(told.value and round(told.value)),
            f"{told.low and round(told.low)} to {told.high and round(told.high)}",
            " to ".join(f"{100 * share:.1f} %" for share in late.values()),
        ),
    )
    # What was recorded comes in bursts, so that arrivals at random are less late at the same load.
    assert late["low"] <= kept.allowed
    assert late["high"] >= kept.allowed / 2


def _late(server: TokenServer, tokens: tuple[IntArray, IntArray], per_s: float, objective: LatencyObjective) -> float:
    """The share that is late when requests like these come at random, so many output tokens a second."""
    rng = np.random.default_rng(1)
    prompt, output = tokens
    drawn = rng.integers(0, output.size, 60_000)
    at_s = np.cumsum(rng.exponential(output.mean() / per_s, drawn.size))
    seen = server.serve(at_s, prompt[drawn], output[drawn], window_s=60.0, until_s=float(at_s[-1]))
    below = seen.latencies[ITL].below_per_s[10:].sum(axis=0)
    return float(1 - below[int(np.searchsorted(BOUNDS_S, objective.at_most_s * (1 - 1e-9)))] / below[-1])

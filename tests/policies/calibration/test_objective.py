"""Latency objectives as they are written, and what is late in a histogram."""

from __future__ import annotations

import numpy as np
import pytest

from policies.calibration.history import Kind, Latencies
from policies.calibration.objective import LatencyObjective, late_events, quantile_s

# A hundred events a second: 60 within 0.1 s, 90 within 0.4 s, 100 in all.
SEEN = Latencies(Kind.TTFT, np.array([0.1, 0.4, np.inf]), np.array([[60.0, 90.0, 100.0]]), np.array([30.0]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft=500ms@p95", LatencyObjective(Kind.TTFT, 0.5, 0.95)),
        ("itl=40ms@p99.9", LatencyObjective(Kind.ITL, 0.04, 0.999)),
        ("latency=2.5s@p50", LatencyObjective(Kind.LATENCY, 2.5, 0.5)),
    ],
)
def test_an_objective_is_parsed_and_written_alike(text: str, expected: LatencyObjective) -> None:
    found = LatencyObjective.parse(text)

    assert (found.kind, found.at_most_s) == (expected.kind, expected.at_most_s)
    assert found.quantile == pytest.approx(expected.quantile)
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "ttft", "ttft=500@p95", "ttft=500ms", "cpu=1s@p95", "itl=0ms@p95", "itl=1s@p00"])
def test_what_is_no_objective_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as ttft=500ms@p95"):
        LatencyObjective.parse(text)


def test_what_is_late_is_counted_at_a_bound_and_interpolated_between_two() -> None:
    assert late_events(SEEN, 0.4) == (np.array([10.0]), True)
    late, exact = late_events(SEEN, 0.2)
    # Half of the way from 0.1 to 0.4 by the logarithm: 60 and half of 30 are within.
    assert late.tolist() == pytest.approx([25.0])
    assert not exact


def test_above_the_last_bound_nothing_is_known() -> None:
    with pytest.raises(ValueError, match=r"no bucket above 400ms, so that later than 1s cannot be told"):
        late_events(SEEN, 1.0)


def test_a_histogram_of_the_infinite_bound_alone_tells_nothing() -> None:
    alone = Latencies(Kind.TTFT, np.array([np.inf]), np.array([[100.0]]), np.array([30.0]))
    with pytest.raises(ValueError, match=r"no bucket but the infinite one, so that later than 1s cannot be told"):
        late_events(alone, 1.0)


def test_a_quantile_lies_in_its_bucket() -> None:
    """The 75th of a hundred is half of the way through the thirty between 0.1 and 0.4."""
    assert quantile_s(SEEN, np.array([True]), 0.75) == pytest.approx(0.25)

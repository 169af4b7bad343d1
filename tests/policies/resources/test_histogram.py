"""Decaying histograms: what they say against plain sums over samples, and what a checkpoint keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resources.histogram import CPU, MEMORY, Buckets, CheckpointError, Histograms

HALF_LIFE_S = 3600.0
LINEAR = Buckets.linear(10.0, 1.0, 1e-9)
_samples = st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 5), st.integers(0, 50 * 3600)), min_size=1, max_size=30)


def _of(samples: list[tuple[float, float, int]], buckets: Buckets = LINEAR) -> Histograms:
    held = Histograms.empty(2, buckets, HALF_LIFE_S)
    for value, weight, at_s in samples:
        held.add(np.array([1]), np.array([value]), weight, np.array([float(at_s)]))
    return held


@given(samples=_samples, share=st.floats(0.01, 0.999))
def test_a_percentile_is_where_the_aged_weights_reach_it(samples: list[tuple[float, float, int]], share: float) -> None:
    weights = [0.0] * 11
    for value, weight, at_s in samples:
        weights[min(int(value), 10)] += weight * 2 ** (at_s / HALF_LIFE_S)
    sums, total = np.cumsum(weights), sum(weights)
    bucket = int(np.argmax(sums >= share * total))
    near = np.abs(sums - share * total).min() < 1e-6 * total  # rounding decides
    found = _of(samples).percentile(share)
    assert found[0] == 0.0  # the other container saw nothing
    assert near or found[1] == min(bucket + 1, 10)


@given(first=_samples, second=_samples, share=st.floats(0.01, 0.99))
def test_two_that_are_merged_are_one_that_saw_both(
    first: list[tuple[float, float, int]], second: list[tuple[float, float, int]], share: float
) -> None:
    one, both = _of(first), _of([*first, *second])
    one.merge(_of(second))
    assert one.weights[1] / one.total[1] == pytest.approx(both.weights[1] / both.total[1], rel=1e-9)
    near = np.abs(np.cumsum(both.weights[1]) - share * both.total[1]).min() < 1e-6 * both.total[1]
    assert near or one.percentile(share)[1] == both.percentile(share)[1]


def test_what_is_subtracted_was_never_there() -> None:
    held = _of([(3.0, 1.0, 0), (7.0, 1.0, 0)])
    held.subtract(np.array([1]), np.array([7.0]), 1.0, np.array([0.0]))
    assert held.percentile(1.0)[1] == 4.0
    held.subtract(np.array([1]), np.array([3.0]), 1.0, np.array([0.0]))
    assert held.is_empty().tolist() == [True, True]


def test_weights_are_told_anew_before_they_overflow() -> None:
    held = Histograms.empty(1, CPU, 86400.0)
    row = np.array([0])
    for day in range(0, 20_000, 50):
        held.add(row, np.array([1.0]), 0.1, np.array([day * 86400.0]))
    assert np.isfinite(held.total[0])
    assert held.reference_s[0] % 86400.0 == 0
    assert held.percentile(0.9)[0] == pytest.approx(1.0163, abs=1e-4)  # 0.2 x (1.05^37 - 1)


def test_a_checkpoint_keeps_shares_to_a_part_in_ten_thousand() -> None:
    rng = np.random.default_rng(3)
    held = Histograms.empty(1, MEMORY, 86400.0)
    for n, value in enumerate(rng.gamma(3.0, 1e9, 500)):
        held.add(np.array([0]), np.array([value]), 1.0, np.array([1.7e9 + 3600.0 * n]))
    total, weights = held.saved(0)
    assert max(weights.values()) == 10_000
    again = Histograms.empty(1, MEMORY, 86400.0)
    again.restore(0, total, weights, reference_s=float(held.reference_s[0]))
    for share in (0.5, 0.9, 0.95):
        assert again.percentile(share)[0] == held.percentile(share)[0]
    kept_total, kept_weights = again.saved(0)
    assert kept_weights == weights
    assert kept_total == pytest.approx(total)


@pytest.mark.parametrize(
    ("total", "weights", "words"),
    [
        pytest.param(-1.0, {0: 1}, "total weight -1 is below 0", id="a-total-below-0"),
        pytest.param(1.0, {11: 1}, "bucket 11 is none of 0 to 10", id="a-bucket-too-far"),
        pytest.param(1.0, {0: -1}, "has the weight -1", id="a-weight-below-0"),
    ],
)
def test_checkpoints_that_cannot_be(total: float, weights: dict[int, int], words: str) -> None:
    held = Histograms.empty(1, LINEAR, None)
    with pytest.raises(CheckpointError, match=words):
        held.restore(0, total, weights)
    assert held.is_empty()[0]

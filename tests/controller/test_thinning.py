"""Which snapshots the journal keeps, whenever it is asked."""

from __future__ import annotations

from itertools import pairwise

import pytest

from controller.journal.thinning import thinned

HOUR_S = 3600.0


def kept_after(hours: float, *, every_s: float, pruned_every_s: float, retention_h: float = 96.0) -> list[float]:
    """What is left of snapshots saved from the seventh minute on, thinned out at times meanwhile and at the end."""
    kept, now_s, pruned_s = [], 420.0, 0.0
    while now_s <= hours * HOUR_S:
        kept.append(now_s)
        if now_s - pruned_s >= pruned_every_s:
            gone, pruned_s = thinned(kept, now_s - retention_h * HOUR_S, now_s), now_s
            kept = [at_s for at_s in kept if at_s not in gone]
        now_s += every_s
    gone = thinned(kept, (hours - retention_h) * HOUR_S, hours * HOUR_S)
    return [at_s for at_s in kept if at_s not in gone]


@pytest.mark.parametrize("pruned_every_s", [600.0, 3600.0, 7 * HOUR_S])
def test_it_matters_not_how_often_they_are_thinned_out(pruned_every_s: float) -> None:
    often = kept_after(80.0, every_s=600.0, pruned_every_s=pruned_every_s)
    assert often == kept_after(80.0, every_s=600.0, pruned_every_s=1e9)
    assert often == sorted(set(often))


@pytest.mark.parametrize("every_s", [600.0, 1234.0, 5000.0])
def test_before_every_moment_that_is_kept_a_snapshot_is_not_far(every_s: float) -> None:
    kept = kept_after(200.0, every_s=every_s, pruned_every_s=HOUR_S)
    assert kept[0] <= 104 * HOUR_S  # from where the retention of 96 h begins
    assert kept[1] > 104 * HOUR_S
    gaps = [(at_s, after_s - at_s) for at_s, after_s in pairwise(kept)]
    assert all(gap_s < 6 * HOUR_S + every_s for _, gap_s in gaps)
    assert all(gap_s < HOUR_S + every_s for at_s, gap_s in gaps if at_s >= 176 * HOUR_S + every_s)
    assert all(gap_s == every_s for at_s, gap_s in gaps if at_s >= 197 * HOUR_S)


@pytest.mark.parametrize(
    ("kept", "cutoff_s", "now_s", "gone"),
    [
        pytest.param([], 0.0, 1e6, [], id="none"),
        pytest.param([10.0], 1e6, 2e6, [], id="the-only-one-however-old"),
        pytest.param([10.0, 20.0], 1e6, 2e6, [10.0], id="of-those-before-the-cutoff-the-newest-stays"),
        pytest.param([1e6, 1e6 + 10], 0.0, 2e6, [], id="the-newest-stays-beside-the-first-of-its-time"),
        pytest.param([1e6, 1e6 + 10, 1e6 + 20], 0.0, 2e6, [1e6 + 10], id="but-not-the-one-before-it"),
        pytest.param([3e6, 3e6 + 10, 3e6 + 20], 0.0, 2e6, [], id="of-a-clock-that-was-ahead"),
    ],
)
def test_what_goes(kept: list[float], cutoff_s: float, now_s: float, gone: list[float]) -> None:
    assert thinned(kept, cutoff_s, now_s) == gone

"""Where capacity can be had: spells, records, refusals, lost zones."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.load_file import Load
from simulations.whatif.demand import WhatIfError
from simulations.whatif.physics import REFUSED, UNLIMITED
from simulations.whatif.world import rooms
from tests.simulations.whatif.builders import ON_DEMAND, SPOT, Document, scenario

SPOT_ALONE = [{"name": "alone", "replicas": "fixed:1", "mix": "spot"}]
POOLS = {"pools": [ON_DEMAND, SPOT, {**SPOT, "name": "same-zone"}, {**SPOT, "name": "elsewhere", "zone": "b"}]}


def has_spot(faults: Document, *, days: float = 10, runs: int = 20) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether the first zone has spot, `[run, step]`."""
    made = rooms(scenario(days=days, capacity=POOLS, faults={"spot": faults}), {}, range(runs))
    return np.asarray(made[1] == UNLIMITED)


@pytest.mark.parametrize("shape", [1.0, 0.6, 2.0])
def test_spells_have_their_share_at_every_moment(shape: float) -> None:
    # 3 h up and 1 h down: 75 % of the time, at the first step as at the last
    up = has_spot({"spells": {"up": "3h", "down": "1h", "upShape": shape}}, days=1, runs=600)
    for step in (0, 720, 1439):
        assert up[:, step].mean() == pytest.approx(0.75, abs=0.06)  # 3.4 standard deviations of 600 draws


def test_spells_have_their_mean_length() -> None:
    up = has_spot({"spells": {"up": "3h", "down": "1h"}}, days=30)
    ends = (np.diff(up.astype(np.int8), axis=1) == -1).sum()
    assert up.sum() / ends / 60 == pytest.approx(3.0, rel=0.08)  # about 3,600 spells, so 2 % is one standard deviation


def test_pools_of_a_zone_lose_spot_together_and_zones_apart() -> None:
    faults = {"spot": {"spells": {"up": "3h", "down": "1h"}}}
    on_demand, first, second, other = rooms(scenario(capacity=POOLS, faults=faults), {}, range(3))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert (on_demand == UNLIMITED).all()


def record(zone: str = "a") -> dict[str, Load]:
    """Two days of one sample an hour: 3 instances, but none in the second and third hour of each day."""
    hour = np.arange(49, dtype=np.float64)
    return {zone: Load(3600.0 * hour, np.where(np.isin(hour % 24, (1, 2)), 0.0, 3.0))}


def test_a_record_goes_round_from_a_random_moment() -> None:
    asked = scenario(
        days=4, capacity={"pools": [SPOT]}, policies=SPOT_ALONE, faults={"spot": {"trace": {"file": "x.parquet"}}}
    )
    (room,) = rooms(asked, record(), range(5))
    assert set(np.unique(room)) == {0, 3}
    assert (room == 0).mean() == pytest.approx(2 / 24, abs=0.002)
    assert np.unique(np.argmax(room == 0, axis=1)).size > 1
    with pytest.raises(WhatIfError, match="has no trace 'a', the name of a zone; it has b"):
        rooms(asked, record("b"), range(1))


def test_fitted_spells_are_as_long_as_recorded_ones() -> None:
    asked = scenario(
        days=20, capacity={"pools": [SPOT]}, policies=SPOT_ALONE, faults={"spot": {"fitted": {"file": "x.parquet"}}}
    )
    (room,) = rooms(asked, record("any"), range(5))
    # whole spells of the record: 22 h with spot, 2 h without
    assert (room == 0).mean() == pytest.approx(2 / 24, abs=0.003)
    with pytest.raises(WhatIfError, match=r"x\.parquet has no whole spell with spot and one without"):
        rooms(asked, {"any": Load(np.array([0.0, 1.0, 2.0]), np.ones(3))}, range(1))


def test_refusals_have_their_share_apart_from_spot() -> None:
    faults = {"onDemandRefusals": {"share": "10%", "lasts": "30m"}}
    (room,) = rooms(scenario(days=30, capacity={"pools": [ON_DEMAND]}, faults=faults), {}, range(20))
    assert (room == REFUSED).mean() == pytest.approx(0.1, rel=0.05)


def test_refusals_come_with_a_share_of_the_times_without_spot() -> None:
    faults = {"spot": {"spells": {"up": "3h", "down": "1h"}}, "onDemandRefusals": {"withSpot": "40%"}}
    on_demand, spot, _, _ = rooms(scenario(days=30, capacity=POOLS, faults=faults), {}, range(20))
    refused, none = on_demand == REFUSED, spot == 0
    assert not (refused & ~none).any()
    assert refused.sum() / none.sum() == pytest.approx(0.4, abs=0.04)


def test_a_lost_zone_has_nothing_for_its_time() -> None:
    faults = {"zoneLost": {"zone": "a", "after": "2h", "lasts": "1h"}}
    made = rooms(scenario(warmup="1h", capacity=POOLS, faults=faults), {}, range(1))
    assert np.flatnonzero(made[0, 0] == 0).tolist() == list(range(180, 240))
    assert (made[3] == UNLIMITED).all()

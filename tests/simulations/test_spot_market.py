"""The market is physical, and small cases cost what they cost by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.mix.model import NO_LIMIT
from simulations.spot_clairvoyant import clairvoyant_ratio
from simulations.spot_contenders import SpotContenderError, parse_contender
from simulations.spot_market import Market, Replayed, figures, replay
from simulations.spot_traces import scarcest

if TYPE_CHECKING:
    from policies.arrays import IntArray

POLICIES = ("foresail", "skyserve", "skyserve:base=1,over=2", "on-demand")


def _market(
    available: IntArray, due: int = 2, *, startup: int = 10, notice: int = 0, refused: IntArray | None = None
) -> Market:
    pools, steps = available.shape
    return Market(
        available=available,
        price=np.linspace(0.3, 0.4, pools),
        limit=np.full(pools, NO_LIMIT),
        due=np.full(steps, due),
        on_demand=np.ones(steps, np.bool_) if refused is None else refused == 0,
        step_s=30.0,
        startup_steps=startup,
        notice_steps=notice,
    )


def _random(seed: int, *, pools: int = 3, steps: int = 3000, mean_steps: int = 150, most: int = NO_LIMIT) -> IntArray:
    """Pools that open and close at random."""
    random = np.random.default_rng(seed)
    changes = random.random((pools, steps)) < 1 / mean_steps
    return np.where(np.cumsum(changes, axis=1) % 2 == 0, most, 0)


def _replayed(market: Market, policy: str, objective: float = 0.01) -> Replayed:
    return replay(market, parse_contender(policy), objective=objective)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("most", [NO_LIMIT, 1, 2])
def test_what_is_ready_could_be(policy: str, most: int) -> None:
    market = _market(_random(5, most=most), 3)
    done = _replayed(market, policy)
    assert (done.held[:-1] <= market.available).all()
    assert (done.ready <= done.held).all()
    assert (done.held <= np.maximum(done.wanted, 0)).all()
    for pool in range(done.held.shape[0]):  # what is ready was held all through a start-up
        for step in range(market.startup_steps, done.held.shape[1]):
            assert done.ready[pool, step] <= done.held[pool, step - market.startup_steps : step + 1].min()


def test_skyserve_costs_what_it_costs_by_hand() -> None:
    # Two replicas in one pool at 0.3 that closes at step 60, for ever; on-demand stands in until they are ready, and
    # again from step 60 on. 100 steps with 2 due.
    available = np.full((1, 100), NO_LIMIT)
    available[0, 60:] = 0
    market = _market(available)
    done = _replayed(market, "skyserve")
    assert done.held[0].sum() == 2 * 60
    assert done.held[1].sum() == 2 * 10 + 2 * 40
    assert done.ready.sum(axis=0).tolist() == [0] * 10 + [2] * 50 + [0] * 10 + [2] * 30
    found = figures(market, done, skip=0)
    assert found.cost_ratio == pytest.approx((0.3 * 120 + 100) / 200)
    assert found.short_ratio == pytest.approx(40 / 200)
    assert (found.interruptions, found.launches) == (2, 6)
    assert found.spot_share == pytest.approx(100 / 160)


def test_on_demand_that_is_refused_is_short_for_all_who_need_it() -> None:
    refused = np.zeros(100, np.int64)
    refused[:50] = 1
    done = _replayed(_market(np.zeros((1, 100), np.int64), refused=refused), "on-demand")
    assert done.ready[-1].tolist() == [0] * 60 + [2] * 40


def test_a_launch_is_known_one_start_up_and_a_step_ahead_of_its_need() -> None:
    market = _market(np.zeros((1, 40), np.int64), 1)
    market.due[25:] = 3
    done = _replayed(market, "on-demand")
    assert done.held[-1].tolist() == [1] * 14 + [3] * 26
    assert figures(market, done, skip=12).short_ratio == 0


def test_notice_saves_some_of_the_shortness() -> None:
    available = _random(9, steps=20_000, mean_steps=600)
    plain = figures(_market(available), _replayed(_market(available), "foresail"), skip=240)
    warned = _market(available, notice=4)
    noticed = figures(warned, _replayed(warned, "foresail"), skip=240)
    assert noticed.cost_ratio < plain.cost_ratio + 0.01
    assert noticed.short_ratio < plain.short_ratio + 0.001
    assert (noticed.cost_ratio, noticed.short_ratio) != (plain.cost_ratio, plain.short_ratio)


def test_the_hedger_keeps_its_budget_where_skyserve_does_not() -> None:
    market = _market(_random(2, steps=40_000, mean_steps=400), 4)
    ours, theirs = (figures(market, _replayed(market, policy), skip=240) for policy in ("foresail", "skyserve"))
    assert ours.short_ratio < 0.013 < theirs.short_ratio
    assert ours.cost_ratio < 1


def test_more_spot_stands_by_while_on_demand_is_refused() -> None:
    available = _random(4, steps=20_000, mean_steps=1500)
    plain = _market(available, 4)
    short = _market(available, 4, refused=scarcest(available, 0.3, step_s=30.0).astype(np.int64))
    spares = [_replayed(market, "foresail").held[:-1].mean() for market in (plain, short)]
    assert spares[1] > spares[0]


def test_the_clairvoyant_by_hand() -> None:
    # One replica, two pools at 0.3 and 0.4; the first closes at step 50, the second is open from step 30 on. Spot at
    # 0.3 for 50 steps; the next one is launched 10 steps before, at 0.4 for 60.
    available = np.zeros((2, 100), np.int64)
    available[0, :50], available[1, 30:] = NO_LIMIT, NO_LIMIT
    market = _market(available, 1)
    # The first start-up is paid as well: 10 steps at 0.3.
    assert clairvoyant_ratio(market, skip=0) == pytest.approx((0.3 * (50 + 10) + 0.4 * 60) / 100)


def test_nobody_beats_the_clairvoyant() -> None:
    market = _market(_random(7, steps=6000), 2)
    done = _replayed(market, "foresail", objective=0.0001)
    assert clairvoyant_ratio(market, skip=240) < figures(market, done, skip=240).cost_ratio


def test_on_demand_is_refused_when_most_pools_are_closed() -> None:
    available = np.ones((2, 1000), np.int64)
    available[:, 400:600] = 0
    refused = scarcest(available, 0.1, step_s=30.0)
    assert refused.sum() == 100
    assert not refused[:400].any()
    assert not refused[600:].any()


@pytest.mark.parametrize("text", ["spot", "skyserve:", "skyserve:base=-1", "foresail:base=1", "skyserve:base=1,cost=2"])
def test_policies_that_nobody_knows(text: str) -> None:
    with pytest.raises(SpotContenderError, match="is neither foresail"):
        parse_contender(text)

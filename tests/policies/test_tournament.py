"""Who is put in charge and what it orders, on forecasts that are given: evidence, budgets, prices, lower bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.contest import Came, Forecasts, Ruling, Terms
from policies.tournament import EVIDENCE_STEPS, GRID, HEARD_STEPS, INCUMBENT, STEPS_A_DAY, Scores, rulings

if TYPE_CHECKING:
    from policies.arrays import FloatArray

DAY = STEPS_A_DAY
LEVEL = 20.0  # replicas


def terms(**given: Any) -> Terms:  # noqa: ANN401 - columns of one lane
    one = {
        "low": 1,
        "high": 1000,
        "startup": 2,
        "lag": 1,
        "budget": 0.01,
        "as_incumbent": False,
        "hour": np.inf,
        "price": 0.0,
        "churn": 1.0,
        "hold": 0,
        "slo": False,
        "acted": True,
    }
    return Terms(**{name: np.array([value]) for name, value in (one | given).items()})


def noise(steps: int, seed: int = 1, scale: float = 0.1) -> FloatArray:
    """A load around `LEVEL`, each step by itself: nothing that came tells what comes."""
    return LEVEL * np.exp(np.random.default_rng(seed).normal(0.0, scale, (1, steps)))


def said(demand: FloatArray, incumbent: float = 2.0, scale: float = 0.1) -> Forecasts:
    """Models that know the level and its scale, beside an incumbent with so many times the replicas."""
    flat = np.full(demand.shape, np.log(LEVEL + 0.5))
    told = np.zeros((*demand.shape, 4))
    told[:, :, 2:] = scale
    orders = np.full(demand.shape, int(incumbent * LEVEL), np.int64)
    return Forecasts(told, flat, flat + 1.0, orders, flat)


def came(demand: FloatArray, **given: Any) -> Came:  # noqa: ANN401 - columns
    nobody = np.full(demand.shape, -1.0)
    return Came(demand, np.full(demand.shape, 2, np.int64), nobody, nobody)._replace(**given)


def late_share(ruling: Ruling, demand: FloatArray, since: int, startup: int = 2) -> float:
    ready = ruling.order[0].copy()
    for back in range(1, startup + 1):
        ready[back:] = np.minimum(ready[back:], ruling.order[0][:-back])
    missed = demand[0] > ready + 1e-9
    return float(demand[0][since:][missed[since:]].sum() / demand[0][since:].sum())


@pytest.mark.parametrize("budget", [0.05, 0.01, 0.002])
def test_a_budget_is_kept(budget: float) -> None:
    demand = noise(8 * DAY)
    ruling = rulings(Scores.empty(1), said(demand), came(demand), terms(budget=budget))
    assert 0.4 * budget < late_share(ruling, demand, 2 * DAY) < 1.1 * budget


def test_evidence_counts_known_steps_alone() -> None:
    demand = noise(DAY + 200)
    usable = np.full(demand.shape, 2, np.int64)
    usable[0, 100:150] = 0
    ruling = rulings(Scores.empty(1), said(demand), came(demand, usable=usable), terms())
    assert ruling.known[0, -1] == DAY + 200 - 50
    assert np.flatnonzero(ruling.known[0] >= EVIDENCE_STEPS)[0] == DAY + 49


def test_the_incumbent_is_in_charge_where_it_is_cheapest_and_not_before_there_is_evidence() -> None:
    demand = noise(4 * DAY)
    wide = said(demand, incumbent=1.4, scale=1.0)  # forecasts that are of no use
    ruling = rulings(Scores.empty(1), wide, came(demand), terms(budget=0.01))
    assert (ruling.candidate[0, : EVIDENCE_STEPS - 10] < GRID).all()
    assert ruling.candidate[0, -1] == INCUMBENT
    assert ruling.order[0, -1] == 28


def test_what_was_forecast_is_told_beside_the_order() -> None:
    demand = noise(2 * DAY)
    ruling = rulings(Scores.empty(1), said(demand), came(demand), terms())
    expected, upper = ruling.expected[0, 10:], ruling.upper[0, 10:]
    np.testing.assert_allclose(expected, np.log(LEVEL + 0.5))
    margin = (upper - expected) / 0.1  # in scales; no more than the peak and the headroom above it allow
    assert margin.min() > -2.0
    assert margin.max() < 15.0
    # An order is what the newest forecast needs, or what an older one needed that is still held.
    assert (ruling.order[0, 10:] >= np.ceil(np.exp(upper) - 0.5 - 1e-9)).all()


def test_as_late_as_the_incumbent() -> None:
    demand = noise(9 * DAY)
    bold = rulings(Scores.empty(1), said(demand, incumbent=1.15), came(demand), terms(as_incumbent=True))
    ready = 1.15 * LEVEL
    allowed = demand[0][demand[0] > int(ready)].sum() / demand[0].sum()  # 8 % or so, where the budget says 1 %
    assert 0.03 < allowed < 0.2
    assert 0.4 * allowed < late_share(bold, demand, 4 * DAY) < 1.1 * allowed
    bound = rulings(Scores.empty(1), said(demand, incumbent=1.15), came(demand), terms(as_incumbent=True, slo=True))
    assert late_share(bound, demand, 4 * DAY) < 0.011


def test_a_price_of_lateness_buys_less_of_it_than_the_budget_allows() -> None:
    demand = noise(8 * DAY)
    plain, dear = (
        rulings(Scores.empty(1), said(demand), came(demand), terms(budget=0.05, price=price)) for price in (0.0, 300.0)
    )
    late = [late_share(each, demand, 2 * DAY) for each in (plain, dear)]
    assert late[1] < 0.3 * late[0]
    assert dear.order[0, 2 * DAY :].mean() > plain.order[0, 2 * DAY :].mean()


def test_an_hours_budget_is_hurried_to() -> None:
    demand = noise(3 * DAY)
    demand[0, 2 * DAY : 2 * DAY + 60] = LEVEL * 1.8  # for half an hour
    plain, bound = (rulings(Scores.empty(1), said(demand), came(demand), terms(hour=hour)) for hour in (np.inf, 0.05))
    assert bound.order[0, : 2 * DAY].mean() < 1.01 * plain.order[0, : 2 * DAY].mean()
    crowd = slice(2 * DAY + 10, 2 * DAY + 60)
    assert bound.order[0, crowd].mean() > 1.1 * plain.order[0, crowd].mean()


def test_a_lower_bound_lowers_no_order_and_is_late_for_who_was_below_what_was_ready() -> None:
    demand = noise(DAY)
    cut = np.minimum(demand, 18.0)
    usable = np.where(demand > 18.0, 1, 2)
    ready = np.full(demand.shape, 18.0)
    scores = Scores.empty(1)
    ruling = rulings(scores, said(demand), came(cut, usable=usable, ready=ready), terms())
    bounded = np.flatnonzero(usable[0, 1:] == 1) + 1
    assert (ruling.order[0, bounded] >= ruling.order[0, bounded - 1]).all()
    blind = rulings(Scores.empty(1), said(demand), came(cut), terms())
    assert ruling.order[0, DAY // 2 :].mean() > blind.order[0, DAY // 2 :].mean()


def test_an_indicator_of_lateness_counts_instead_of_what_was_ordered() -> None:
    demand = noise(2 * DAY)
    never, always = np.zeros(demand.shape), np.full(demand.shape, 0.05)
    trims = []
    for late in (never, always):
        scores = Scores.empty(1)
        rulings(scores, said(demand), came(demand, late=late), terms())
        trims.append(float(scores.trim[0]))
    assert trims[0] == -1.5
    assert trims[1] == 3.0


def test_replicas_that_another_ordered_tell_nothing_of_these_orders() -> None:
    demand = noise(2 * DAY)
    plenty, alone = Scores.empty(1), Scores.empty(1)
    rulings(plenty, said(demand), came(demand, ready=np.full(demand.shape, 99.0)), terms(acted=False))
    rulings(alone, said(demand), came(demand), terms())
    assert plenty.trim.tolist() == alone.trim.tolist()
    assert plenty.realised.tolist() == alone.realised.tolist()


def test_lateness_that_no_candidate_could_avoid_is_charged_to_none() -> None:
    demand = noise(DAY)
    scores = Scores.empty(1)
    rulings(scores, said(demand), came(demand), terms(high=5))
    before = 0.5 * DAY  # what is charged before any evidence
    assert scores.late[0, 1].max() <= before * demand[0, :HEARD_STEPS].mean()
    assert scores.late[0, 1, :GRID].max() < scores.load[0, 1]


def test_a_maximum_that_is_too_small_teaches_the_margin_nothing() -> None:
    demand = noise(2 * DAY)
    crowd = slice(DAY, DAY + DAY // 4)
    demand[0, crowd] *= 3.0
    models = said(demand)
    models.base[0, crowd] += np.log(3.0)
    scores, calm = Scores.empty(1), Scores.empty(1)
    rulings(scores, models, came(demand), terms(high=40))
    quiet = np.delete(demand, crowd, axis=1)
    rulings(calm, said(quiet), came(quiet), terms(high=40))
    assert scores.trim[0] == pytest.approx(calm.trim[0], abs=0.2)
    late, load, charged = scores.realised[0]
    assert late / load > 0.15
    assert charged / load < 0.011


def test_orders_do_not_answer_for_replicas_that_never_came() -> None:
    demand = noise(2 * DAY)
    followed, nodes = np.full(demand.shape, 60.0), np.full(demand.shape, 60.0)
    nodes[0, DAY:] = 10.0  # there are no nodes for more
    scores, other = Scores.empty(1), Scores.empty(1)
    rulings(scores, said(demand), came(demand, ready=nodes), terms())
    rulings(other, said(demand), came(demand, ready=followed), terms())
    assert scores.trim[0] <= other.trim[0] + 0.5
    assert scores.realised[0, 0] > 10 * scores.realised[0, 2]


def test_replicas_that_come_later_than_was_measured_are_answered_for() -> None:
    demand = np.tile(np.repeat([10.0, 20.0], 60), DAY // 60)[None, :]
    models = said(demand, scale=0.05)._replace(base=np.log(demand + 0.5))  # knows each rise when it comes
    ready = np.roll(demand, 8, axis=1) + 3.0  # eight steps later
    scores, alone = Scores.empty(1), Scores.empty(1)
    rulings(scores, models, came(demand, ready=ready), terms())
    rulings(alone, models, came(demand), terms())
    assert scores.realised[0, 0] > 2 * alone.realised[0, 0]
    assert scores.realised[0, 2] > 2 * alone.realised[0, 2]
    assert scores.trim[0] > alone.trim[0]


def test_a_lower_bound_without_the_replicas_that_were_ordered_teaches_nothing_and_is_late() -> None:
    demand = noise(2 * DAY)
    scores = Scores.empty(1)
    rulings(scores, said(demand), came(demand), terms())
    trim, (late, load, charged) = scores.trim[0], scores.realised[0].copy()
    few = np.full((1, 200), 7.9)  # eight are ready and full, where more than twenty were ordered
    told = came(few, usable=np.full(few.shape, 1, np.int64), ready=np.full(few.shape, 8.0))
    rulings(scores, said(few), told, terms())
    assert scores.trim[0] == trim
    assert scores.realised[0, 0] > 0.9 * (late + 200 * 7.9)
    assert scores.realised[0, 2] <= charged
    assert scores.realised[0, 1] > load


def test_what_was_served_in_time_by_more_than_was_ordered_is_not_told_as_late() -> None:
    demand = noise(2 * DAY)
    scores = Scores.empty(1)
    rulings(scores, said(demand), came(demand, ready=np.full(demand.shape, 99.0)), terms())
    begun = 240.0 * 0.01 * LEVEL  # of other loads
    assert scores.realised[0, 0] < 1.05 * begun
    assert scores.realised[0, 2] > 2 * begun


def test_a_maximum_that_is_raised_does_not_turn_on_the_orders_before() -> None:
    demand = np.full((1, DAY), 15.0)
    scores = Scores.empty(1)
    rulings(scores, said(demand), came(demand), terms(high=10, startup=10))
    trim = scores.trim[0]
    rulings(scores, said(demand[:, :8]), came(demand[:, :8]), terms(high=40, startup=10))
    assert scores.trim[0] == trim


def test_replicas_beyond_the_orders_do_not_hide_that_orders_were_too_small() -> None:
    demand = noise(2 * DAY)
    plenty, alone = Scores.empty(1), Scores.empty(1)
    rulings(plenty, said(demand), came(demand, ready=np.full(demand.shape, 99.0)), terms())
    rulings(alone, said(demand), came(demand), terms())
    assert plenty.trim.tolist() == alone.trim.tolist()


@pytest.mark.parametrize("first", [0.0, 100.0 * LEVEL], ids=["nothing", "a-hundred-times-as-much"])
def test_what_came_on_other_loads_is_not_sized_by_the_first_load_alone(first: float) -> None:
    demand = noise(HEARD_STEPS)
    demand[0, 0] = first
    scores = Scores.empty(1)
    rulings(scores, said(demand), came(demand), terms())
    assert scores.load[0, 1] == pytest.approx(0.5 * DAY * demand.mean())
    assert scores.usual[0, 0] / scores.usual[0, 1] == pytest.approx(demand.mean())
    assert scores.known[0] == HEARD_STEPS


def test_one_late_step_moves_the_margin_by_half_a_scale_at_most() -> None:
    demand = noise(DAY)
    demand[0, -2] = 3.0 * LEVEL
    scores, before = Scores.empty(1), Scores.empty(1)
    rulings(scores, said(demand), came(demand), terms(budget=0.0001))
    rulings(before, said(demand[:, :-2]), came(demand[:, :-2]), terms(budget=0.0001))
    assert 0.0 < scores.trim[0] - before.trim[0] <= 0.5


def test_an_incumbent_in_charge_gets_the_margin_too_once_orders_came_late() -> None:
    demand = noise(4 * DAY)
    said_ = said(demand, incumbent=1.4, scale=1.0)
    scores = Scores.empty(1)
    rulings(scores, said_, came(demand), terms(budget=0.01))
    assert (scores.in_charge[0], scores.own[0, 0]) == (INCUMBENT, 28)
    assert scores.trim[0] >= 0.0
    scores.trim[0] = 2.0
    one = said(demand[:, :1], incumbent=1.4, scale=1.0)
    assert rulings(scores, one, came(demand[:, :1]), terms(budget=0.01)).order[0, 0] > 28


def test_what_is_ordered_lies_among_what_nearly_equal_candidates_order() -> None:
    scores = Scores.empty(1)
    demand = noise(2 * DAY)
    rulings(scores, said(demand), came(demand), terms())
    weight = scores.weight[0]
    assert weight.sum() == pytest.approx(1.0)
    assert weight.argmax() == scores.in_charge[0]
    assert scores.sharing[0] == np.count_nonzero(weight) - 1
    assert ((weight == 0.0) | (weight > 0.001)).all()
    assert 1 < np.count_nonzero(weight) < GRID // 4
    heavy = scores.before[0, :GRID][weight > 0]
    scores.trim[0] = 0.0
    order = rulings(scores, said(demand[:, :1]), came(demand[:, :1]), terms()).order[0, 0]
    assert heavy.min() <= order <= heavy.max()


@pytest.mark.parametrize("length", [1, 7, 100])
def test_blocks_of_any_length_give_the_same(length: int) -> None:
    demand = noise(300)
    whole = rulings(Scores.empty(1), said(demand), came(demand), terms(startup=15))
    scores, orders = Scores.empty(1), []
    for first in range(0, 300, length):
        part = slice(first, first + length)
        piece = demand[:, part]
        orders += rulings(scores, said(piece), came(piece), terms(startup=15)).order[0].tolist()
    assert orders == whole.order[0].tolist()


def test_a_copy_is_its_own() -> None:
    scores = Scores.empty(1)
    copy = scores.copied()
    copy.own[0, 0] = 7
    assert scores.own[0, 0] == 0
    assert replace(copy, steps=copy.steps).own[0, 0] == 7

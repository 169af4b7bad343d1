"""Regions ranked: scores by hand, limits, what is not known, and orders that no third place turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.mix.ranking import Places, Wishes, ranked, why


def places(**facts: tuple[float, float, float]) -> Places:
    """Places by name: USD per hour, milliseconds, share of the time."""
    price, latency_ms, available = np.array(list(facts.values()), float).T
    return Places(tuple(facts), price, latency_ms / 1e3, available)


def names(given_: Places, wishes: Wishes) -> list[str]:
    return [given_.names[row] for row in ranked(given_, wishes).order]


THREE = places(near=(2.2, 20, 0.9), far=(2.0, 80, 0.9), scarce=(1.8, 20, 0.45))


@pytest.mark.parametrize(
    ("wishes", "order"),
    [
        pytest.param(Wishes(), ["scarce", "far", "near"], id="by-price-alone"),
        # Scores: near 2.2 * 20^0.5 = 9.8, far 2.0 * 80^0.5 = 17.9, scarce 1.8 * 20^0.5 = 8.0.
        pytest.param(Wishes(latency=0.5), ["scarce", "near", "far"], id="latency-too"),
        # Over availability: near 9.8 / 0.9 = 10.9, far 17.9 / 0.9 = 19.9, scarce 8.0 / 0.45 = 17.9.
        pytest.param(Wishes(latency=0.5, availability=1), ["near", "scarce", "far"], id="all-three"),
        pytest.param(Wishes(price=0, latency=1), ["near", "scarce", "far"], id="ties-as-given"),
        pytest.param(Wishes(most_latency_s=0.05), ["scarce", "near"], id="a-limit-of-latency"),
        pytest.param(Wishes(least_availability_ratio=0.5), ["far", "near"], id="a-limit-of-availability"),
        pytest.param(Wishes(most_usd_per_hour=1), [], id="nothing-keeps-the-limits"),
    ],
)
def test_orders_worked_by_hand(wishes: Wishes, order: list[str]) -> None:
    assert names(THREE, wishes) == order


def test_scores_are_over_the_best_and_factors_multiply_to_them() -> None:
    ranking = ranked(THREE, Wishes(latency=0.5, availability=1))
    assert ranking.factor[1] == pytest.approx([2.0 / 2.2, 2.0, 1.0])  # four times the latency, to the power 0.5
    assert ranking.score == pytest.approx([1, 4 / 2.2, 2 * 1.8 / 2.2])


def test_the_answer_says_why() -> None:
    ranking = ranked(THREE, Wishes(latency=0.5, most_usd_per_hour=2.1))
    assert why(THREE, ranking, 2) == "the best of those that keep the limits"
    assert why(THREE, ranking, 1) == "beside scarce, adds 11.1% by price, adds 100.0% by latency"
    assert why(THREE, ranking, 0) == "ruled out: 2.2 USD per hour is above 2.1"
    same = places(one=(1, 5, 1), other=(1, 5, 1))
    assert why(same, ranked(same, Wishes()), 1) == "beside one, the same"


def test_what_counts_and_is_not_known_rules_out_and_what_does_not_count_may_be_unknown() -> None:
    some = places(a=(2, np.nan, 1), b=(3, 10, np.nan), none=(1, 1, 0))
    assert names(some, Wishes()) == ["a", "b"]
    assert ranked(some, Wishes(latency=1)).ruled_out == {
        0: "its latency is not known",
        2: "what is wanted is not offered there",
    }
    assert ranked(some, Wishes(least_availability_ratio=0.5)).ruled_out[1] == "its availability is not known"


facts = st.tuples(st.floats(0.1, 100), st.floats(0, 500), st.floats(0.01, 1))
weights = st.builds(Wishes, price=st.floats(0, 3), latency=st.floats(0, 3), availability=st.floats(0, 3))


@given(one=facts, other=facts, third=facts, wishes=weights)
def test_no_third_place_turns_the_order_of_two(
    one: tuple[float, float, float],
    other: tuple[float, float, float],
    third: tuple[float, float, float],
    wishes: Wishes,
) -> None:
    two = names(places(one=one, other=other), wishes)
    three = names(places(one=one, third=third, other=other), wishes)
    assert [name for name in three if name != "third"] == two


@given(one=facts, other=facts, wishes=weights)
def test_a_place_that_is_better_in_everything_is_never_behind(
    one: tuple[float, float, float], other: tuple[float, float, float], wishes: Wishes
) -> None:
    better = (min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]))
    assert names(places(better=better, one=one, other=other), wishes)[0] == "better"

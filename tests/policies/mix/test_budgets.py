"""Budgets: who gives up what, by hand and as properties; the quick way's bound against the exact one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.mix.budgets import Asks, Caps, Resource, Scope, Shares, Unkept, share

INF = np.inf
USD, GPUS = Resource.USD_PER_HOUR, Resource.GPUS
A_LITTLE = 1e-5


def asks(*lanes: tuple[int, int, float, float, int, float, int]) -> Asks:
    """Lanes as floor, wanted, USD per hour, GPUs, priority, value, namespace."""
    floor, wanted, usd, gpus, priority, value, namespace = map(np.array, zip(*lanes, strict=True))
    return Asks(floor, wanted, np.column_stack([usd, gpus]).astype(float), priority, value.astype(float), namespace)


def caps(lanes: int, *, usd: float = INF, gpus: float = INF, namespaces: tuple[tuple[float, float], ...] = ()) -> Caps:
    """Caps of the fleet and of namespaces (one without caps unless given); workloads have none."""
    spaces = np.array(namespaces or ((INF, INF),), float)
    return Caps(np.full((lanes, 2), INF), spaces, np.array([usd, gpus], float))


def test_what_is_wanted_is_kept_while_caps_allow() -> None:
    kept = share(asks((1, 5, 2, 1, 0, 1, 0), (0, 3, 1, 0, 0, 1, 0)), caps(2, usd=13, gpus=5))
    assert kept.replicas.tolist() == [5, 3]
    assert kept.scope.tolist() == [Scope.NONE, Scope.NONE]
    assert kept.unkept == ()


def test_the_lower_priority_gives_up_all_it_may_first() -> None:
    # 20 USD: floors take 1 x 4 + 2 x 1 = 6, the first priority 3 x 4 = 12 more, and 2 are left for the second.
    kept = share(asks((1, 4, 4, 0, 100, 1, 0), (2, 9, 1, 0, 0, 99, 0)), caps(2, usd=20))
    assert kept.replicas.tolist() == [4, 4]
    assert kept.priorities.tolist() == [100, 0]
    assert (kept.scope[1], kept.resource[1]) == (Scope.FLEET, USD)


def test_within_a_priority_the_worth_of_the_whole_counts_and_not_of_each_dollar() -> None:
    # 10 USD: 6 + 4 are worth 6 + 4 = 10; the best by the dollar, 7 USD for 8, leaves 3 for nothing.
    lanes = asks((0, 1, 7, 0, 0, 8, 0), (0, 1, 6, 0, 0, 6, 0), (0, 1, 4, 0, 0, 4, 0))
    kept = share(lanes, caps(3, usd=10))
    assert kept.replicas.tolist() == [0, 1, 1]
    assert (kept.value.tolist(), kept.bound.tolist()) == ([10], [10])
    quick = share(lanes, caps(3, usd=10), exact_lanes=0)
    assert quick.replicas.tolist() == [1, 0, 0]
    assert quick.bound.tolist() == [pytest.approx(8 + 3)]  # and 3 of the 6 USD, or of the 4, at 1 a dollar


def test_caps_stand_in_each_other_and_count_money_and_gpus() -> None:
    lanes = asks((0, 9, 1, 1, 0, 1, 0), (0, 9, 1, 0, 0, 1, 1), (0, 9, 1, 0, 0, 1, 1))
    limits = Caps(
        np.array([[INF, INF], [2, INF], [INF, INF]]),  # 2 USD for the second workload
        np.array([[INF, 3], [6, INF]]),  # 3 GPUs for the first namespace, 6 USD for the second
        np.array([INF, INF]),
    )
    kept = share(lanes, limits)
    assert kept.replicas.tolist() == [3, 2, 4]
    assert kept.scope.tolist() == [Scope.NAMESPACE, Scope.WORKLOAD, Scope.NAMESPACE]
    assert kept.resource.tolist() == [GPUS, USD, USD]


def test_floors_stand_and_the_cap_they_break_is_named() -> None:
    kept = share(asks((3, 5, 1, 4, 0, 1, 0), (1, 2, 1, 0, 0, 1, 1)), caps(2, namespaces=((INF, 8), (INF, INF))))
    assert kept.replicas.tolist() == [3, 2]
    assert kept.unkept == (Unkept(Scope.NAMESPACE, 0, GPUS, floors=12, cap=8),)


def test_replicas_that_need_nothing_are_kept() -> None:
    kept = share(asks((0, 7, 0, 0, 0, 1, 0)), caps(1, usd=0, gpus=0))
    assert kept.replicas.tolist() == [7]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Asks, Caps]:
    """Up to six lanes in two namespaces and two priorities, with caps of every kind."""
    count = draw(st.integers(1, 6))

    def ints(low: int, high: int) -> np.ndarray:
        return np.array(draw(st.lists(st.integers(low, high), min_size=count, max_size=count)))

    floor = ints(0, 2)
    need = np.column_stack([ints(0, 9) / 2, ints(0, 4)])
    wanted = Asks(floor, floor + ints(0, 3), need, ints(0, 1), ints(1, 9).astype(float), ints(0, 1))
    some = st.sampled_from([0.0, 2.0, 5.0, 9.5, 20.0, INF])

    def table(rows: int) -> np.ndarray:
        return np.array(draw(st.lists(st.tuples(some, some), min_size=rows, max_size=rows)))

    return wanted, Caps(table(count), table(2), table(1)[0])


def broken(wanted: Asks, limits: Caps, replicas: np.ndarray) -> bool:
    """Whether replicas need more than a cap that the floors keep, or than the floors where they break it."""

    def above(need: np.ndarray, floors: np.ndarray, cap: np.ndarray) -> bool:
        return bool((need > np.maximum(cap, floors) + A_LITTLE).any())

    used, least = replicas[:, np.newaxis] * wanted.need, wanted.floor[:, np.newaxis] * wanted.need
    spaces = range(limits.namespace.shape[0])
    return (
        above(used, least, limits.workload)
        or any(
            above(used[wanted.namespace == row].sum(0), least[wanted.namespace == row].sum(0), limits.namespace[row])
            for row in spaces
        )
        or above(used.sum(0), least.sum(0), limits.fleet)
    )


def worths(wanted: Asks, replicas: np.ndarray) -> list[float]:
    """Value above floors by priority, the highest first."""
    extra = wanted.value * (replicas - wanted.floor)
    return [float(extra[wanted.priority == each].sum()) for each in np.unique(wanted.priority)[::-1]]


def both(case: tuple[Asks, Caps]) -> tuple[Shares, Shares]:
    return share(*case), share(*case, exact_lanes=0)


@given(case=cases())
def test_caps_and_floors_hold_and_nothing_is_given_up_for_nothing(case: tuple[Asks, Caps]) -> None:
    wanted, limits = case
    for kept in both(case):
        assert (kept.replicas >= wanted.floor).all()
        assert (kept.replicas <= wanted.wanted).all()
        assert not broken(wanted, limits, kept.replicas)
        assert ((kept.scope != Scope.NONE) == (kept.replicas < wanted.wanted)).all()
        for lane in np.flatnonzero(kept.replicas < wanted.wanted):
            lower = wanted.priority < wanted.priority[lane]
            one_more = np.where(lower, wanted.floor, kept.replicas)
            one_more[lane] += 1
            assert broken(wanted, limits, one_more)  # even were all lower ones at their floors


@given(case=cases())
def test_the_exact_way_is_the_best_there_is(case: tuple[Asks, Caps]) -> None:
    wanted, limits = case
    ranges = [range(low, high + 1) for low, high in zip(wanted.floor, wanted.wanted, strict=True)]
    plans = (np.array(plan) for plan in itertools.product(*ranges))
    best = max(worths(wanted, plan) for plan in plans if not broken(wanted, limits, plan))
    assert worths(wanted, share(*case).replicas) == pytest.approx(best)


@given(case=cases())
def test_the_bound_of_the_quick_way_holds(case: tuple[Asks, Caps]) -> None:
    exact, quick = both(case)
    assert quick.bound[0] >= exact.value[0] - A_LITTLE
    assert quick.value[0] <= exact.value[0] + A_LITTLE
    # Stated: less than a replica's value is lost for each of the six shared caps.
    assert quick.value[0] >= quick.bound[0] - 6 * case[0].value.max()


@given(case=cases(), more=st.floats(1, 3))
def test_more_budget_is_never_worse(case: tuple[Asks, Caps], more: float) -> None:
    wanted, limits = case
    larger = Caps(limits.workload * more, limits.namespace * more, limits.fleet * more)
    less, worth = worths(wanted, share(wanted, limits).replicas), worths(wanted, share(wanted, larger).replicas)
    differs = [(a, b) for a, b in zip(less, worth, strict=True) if abs(a - b) > A_LITTLE]
    assert not differs or differs[0][0] < differs[0][1]  # by the highest priority at which they differ


def test_a_large_fleet_comes_close_to_its_bound() -> None:
    random = np.random.default_rng(4)
    lanes, names = 10_000, 50
    floor = random.integers(0, 3, lanes)
    need = np.column_stack([random.uniform(0.1, 12, lanes), random.choice([0, 1, 2, 4, 8], lanes)])
    wanted = Asks(
        floor,
        floor + random.integers(0, 20, lanes),
        need,
        random.integers(0, 3, lanes),
        random.uniform(1, 5, lanes),
        random.integers(0, names, lanes),
    )
    total = (wanted.wanted[:, np.newaxis] * need).sum(0)
    limits = Caps(np.full((lanes, 2), INF), np.tile(total / names * 0.8, (names, 1)), total * 0.6)
    kept = share(wanted, limits)
    assert not broken(wanted, limits, kept.replicas)
    assert kept.value.sum() >= 0.9999 * kept.bound.sum()
    assert (kept.value >= kept.bound - (2 * names + 2) * wanted.value.max()).all()

"""What holds of prices and bills whatever the input.

Cost never falls when a price rises; splits sum to the total exactly; commitments are paid when nothing uses them; a
packing never exceeds a node, has no more nodes than replicas, and costs no less than its bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.pricing.bill import Kind, bill
from policies.pricing.cheapest import cheapest
from policies.pricing.nodes import fits, nodes_for, placed
from policies.pricing.paid import paid_seconds
from policies.pricing.shapes import NodeShape, Request
from policies.pricing.table import CapacityType, Commitment, Offer, PriceTable
from policies.pricing.usage import NodeLife, PoolUse, Share, Usage

if TYPE_CHECKING:
    from policies.arrays import IntArray

STEP_S, STEPS = 900, 10
OFFERS = (
    Offer("p", "a.small", "r"),
    Offer("p", "a.large", "r"),
    Offer("p", "b.small", "r"),
    Offer("p", "a.small", "r", capacity=CapacityType.SPOT),
)
MICROS = st.integers(0, 5_000_000)
LIVES = st.builds(NodeLife, st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 4000))


@dataclass(frozen=True)
class Case:
    usage: Usage
    prices: PriceTable
    commitments: tuple[Commitment, ...]

    def cost(self) -> IntArray:
        return bill(self.usage, self.prices, self.commitments).total


@st.composite
def counts(draw: st.DrawFn, lanes: int = 2) -> IntArray:
    return np.array(draw(st.lists(st.integers(0, 6), min_size=lanes * STEPS, max_size=lanes * STEPS))).reshape(
        lanes, -1
    )


@st.composite
def commitments(draw: st.DrawFn) -> tuple[Commitment, ...]:
    """Scopes one within the other: a type, a family, a region, anything; values stand outside of nodes."""
    scopes = [("a.small", "", "r"), ("", "a", "r"), ("", "", "r"), ("", "", "")]  # instance type, family, region
    from_value = draw(st.integers(0, len(scopes)))
    found = []
    for place, scope in enumerate(scopes):
        if draw(st.booleans()):
            size = draw(st.integers(1, 4))
            nodes, value = (size, 0) if place < from_value else (0, size * 700_000)
            found.append(Commitment(f"c{place}", draw(MICROS), nodes, value, "", *scope))
    return tuple(found)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    used = draw(st.lists(st.sampled_from(OFFERS), min_size=1, max_size=4, unique=True))
    pools = []
    for offer in used:
        nodes = draw(counts())
        shares = tuple(Share(name, nodes, draw(st.floats(0, 0.5))) for name in ("x", "y"))
        pools.append(PoolUse(offer, nodes, draw(LIVES), draw(st.integers(0, 2)), shares))
    micros = np.array([draw(MICROS) for _ in OFFERS])
    table = PriceTable("USD", OFFERS, micros, np.zeros(len(OFFERS)), ("t",) * len(OFFERS))
    return Case(Usage(STEP_S, tuple(pools)), table, draw(commitments()))


@given(case=cases(), row=st.integers(0, len(OFFERS) - 1), rise=st.integers(1, 5_000_000))
def test_cost_never_falls_when_a_price_rises(case: Case, row: int, rise: int) -> None:
    micros = case.prices.micros.copy()
    micros[row] += rise
    dearer = replace(case, prices=replace(case.prices, micros=micros))
    assert (dearer.cost() >= case.cost()).all()


@given(case=cases())
def test_splits_sum_to_the_total_and_commitments_are_paid_in_full(case: Case) -> None:
    found = bill(case.usage, case.prices, case.commitments)
    assert (found.split >= 0).all()
    assert (found.hourly >= 0).all()
    assert (found.hourly.sum(axis=(0, 2)) == found.total).all()
    for kind in range(Kind.LATE):
        assert (found.split[:, kind].sum(axis=0) == found.hourly[kind].sum(axis=1)).all()
    committed = sum(each.micros for each in case.commitments) * STEPS * STEP_S
    assert (found.split[:, [Kind.COMMITTED, Kind.UNUSED]].sum(axis=(0, 1)) == committed).all()


@given(case=cases())
def test_a_commitment_that_costs_nothing_never_makes_the_bill_larger(case: Case) -> None:
    free = replace(case, commitments=tuple(replace(each, micros=0) for each in case.commitments))
    assert (free.cost() <= replace(case, commitments=()).cost()).all()


@given(nodes=counts(), life=LIVES, kept=st.integers(0, 3))
def test_paid_time_is_that_of_nodes_one_by_one(nodes: IntArray, life: NodeLife, kept: int) -> None:
    """Node number i is paid while at least i are needed, dilated by start-up and release: counted second by second."""
    life = replace(life, minimum_s=0)
    paid = paid_seconds(PoolUse(OFFERS[0], nodes, life, kept), STEP_S)
    end_s = STEPS * STEP_S
    for lane, needed in enumerate(np.maximum(nodes, kept)):
        on = np.zeros((int(needed.max()), end_s), np.bool_)
        for step, count in enumerate(needed):
            from_s = max(0, step * STEP_S - life.startup_s)
            on[:count, from_s : (step + 1) * STEP_S + life.release_s] = True
        per_hour = [int(on[:, hour : hour + 3600].sum()) for hour in range(0, end_s, 3600)]
        assert paid[lane].tolist() == per_hour


@given(nodes=counts(), life=LIVES)
def test_longer_lives_never_cost_less(nodes: IntArray, life: NodeLife) -> None:
    def paid(of: NodeLife) -> int:
        return int(paid_seconds(PoolUse(OFFERS[0], nodes, of), STEP_S).sum())

    for longer in (
        replace(life, startup_s=life.startup_s + 100, minimum_s=0),
        replace(life, release_s=life.release_s + 100, minimum_s=0),
    ):
        assert paid(longer) >= paid(replace(life, minimum_s=0))
    assert paid(life) >= paid(replace(life, minimum_s=0))


REQUESTS = st.builds(
    lambda cpu, memory, gpu: Request("w", cpu, memory, gpu),
    st.integers(0, 3000),
    st.integers(1, 4000),
    st.sampled_from([0, 0, 250, 400, 1000, 2000]),
)
SHAPES = st.builds(
    lambda micros, size, gpus, shares: NodeShape(OFFERS[0], micros, size * 3000, size * 4000, gpus, shares_gpus=shares),
    st.integers(1, 1_000_000),
    st.integers(1, 4),
    st.integers(2, 4),
    st.booleans(),
)


def assert_within(held: IntArray, requests: list[Request], shape: NodeShape) -> None:
    for columns, room in (
        ([each.cpu_milli for each in requests], shape.cpu_milli),
        ([each.memory_milli for each in requests], shape.memory_milli),
        ([shape.gpu_asked(each) for each in requests], shape.gpus * 1000),
        ([1] * len(requests), shape.pods),
    ):
        assert (held @ np.array(columns) <= room).all()


@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=3), shape=SHAPES, wanted=st.lists(st.integers(0, 12), min_size=3)
)
def test_a_packing_exceeds_no_node(requests: list[Request], shape: NodeShape, wanted: list[int]) -> None:
    count = np.array(wanted[: len(requests)])
    held = placed(count, requests, shape)
    assert (held.sum(axis=0) == count).all()
    assert len(held) <= count.sum()
    assert (held.sum(axis=1) > 0).all()
    assert_within(held, requests, shape)
    replicas = np.stack([np.array([[each, 0, each]]) for each in count])
    assert nodes_for(replicas, requests, shape).nodes.tolist() == [[len(held), 0, len(held)]]


@settings(max_examples=25)
@given(
    requests=st.lists(REQUESTS, min_size=1, max_size=3),
    shapes=st.lists(SHAPES, min_size=1, max_size=3),
    wanted=st.lists(st.integers(0, 12), min_size=3),
)
def test_the_cheapest_nodes_hold_all_and_cost_no_less_than_the_bound(
    requests: list[Request], shapes: list[NodeShape], wanted: list[int]
) -> None:
    count = np.array(wanted[: len(requests)])
    found = cheapest(count.tolist(), requests, shapes)
    assert (found.held.sum(axis=0) == count).all()
    assert len(found.shapes) <= count.sum()
    assert found.bound_micros <= found.micros
    for shape, row in zip(found.shapes, found.held, strict=True):
        assert_within(row[None], requests, shape)
    for shape in shapes:  # no dearer than the nodes of one shape
        if all(fits(each, shape) for each in requests):
            assert found.micros <= len(placed(count, requests, shape)) * shape.micros

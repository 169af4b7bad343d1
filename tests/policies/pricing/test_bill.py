"""The bill: totals, splits by workload and kind, prices of requests and tokens, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.pricing.bill import IDLE, Kind, bill
from policies.pricing.money import cents
from policies.pricing.table import Commitment, Offer, PriceError
from policies.pricing.usage import NodeLife, PoolUse, Served, Share, Usage, replica_pool
from tests.policies.pricing.shared import NODE, SPOT, lane, prices

HOUR_S = 3600


def test_replicas_at_a_price_each() -> None:
    found = bill(
        Usage(HOUR_S, (replica_pool("chat", NODE, lane(2, 3)), replica_pool("chat", SPOT, lane(1, 0)))), prices()
    )
    assert found.cost.tolist() == [5.35]
    assert found.hours == 2
    assert found.per_hour.tolist() == [2.675]
    assert found.owners == ("chat", IDLE)
    assert found.by_kind[:, 0].tolist() == [0, 0, 5, 0.35, 0]
    assert found.node_seconds[:, 0].tolist() == [5 * 3600, 3600]
    assert (found.hourly[Kind.ON_DEMAND, 0] / 3.6e9).tolist() == [2, 3]


def test_shared_nodes_are_split_by_what_replicas_take_and_the_rest_is_idle() -> None:
    shares = (Share("chat", lane(3), 0.25), Share("web", lane(1), 0.5))
    found = bill(Usage(HOUR_S, (PoolUse(NODE, lane(2), shares=shares),)), prices())
    assert found.owners == ("chat", "web", IDLE)
    assert found.by_owner[:, 0].tolist() == [0.75, 0.5, 0.75]


def test_start_up_and_release_are_idle() -> None:
    pool = replica_pool("chat", NODE, lane(0, 1, 0), NodeLife(startup_s=1800, release_s=900))
    found = bill(Usage(HOUR_S, (pool,)), prices())
    assert found.by_owner[:, 0].tolist() == [1, 0.75]


def test_late_requests_cost_what_the_user_says() -> None:
    served = Served("chat", np.array([1e6]), np.array([250.0]), np.array([2e6]), late_micros=20_000)
    found = bill(Usage(HOUR_S, (replica_pool("chat", NODE, lane(5)),), (served,)), prices())
    assert found.cost.tolist() == [10]  # 5 of nodes, 250 x 0.02
    assert found.per_request.tolist() == [1e-5]
    assert found.per_million_tokens.tolist() == [5]
    assert found.by_kind[Kind.LATE, 0] == 5


def test_without_requests_and_tokens_nothing_is_a_price_each() -> None:
    found = bill(Usage(HOUR_S, (replica_pool("chat", NODE, lane(5)),)), prices())
    assert np.isnan([*found.per_request, *found.per_million_tokens]).all()


def test_a_commitment_is_shared_by_workloads_and_its_unused_part_is_shown_apart() -> None:
    pools = (replica_pool("chat", NODE, lane(1, 0)), replica_pool("web", NODE, lane(1, 0)))
    found = bill(Usage(HOUR_S, pools), prices(), [Commitment("c", 2_400_000, nodes=4)])
    split = found.split[:, :, 0] / 3.6e9
    assert split[:, Kind.COMMITTED].tolist() == [0.6, 0.6, 0]
    assert split[:, Kind.UNUSED].tolist() == [0, 0, 3.6]
    assert found.cost.tolist() == [4.8]


def test_lanes_are_billed_each_on_its_own() -> None:
    counts = np.array([[1, 1], [3, 0]])
    found = bill(Usage(1800, (replica_pool("chat", NODE, counts),)), prices())
    assert found.cost.tolist() == [1, 1.5]


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        pytest.param(Usage(7, (replica_pool("a", NODE, lane(1)),)), "a step of 7 s neither divides an hour", id="step"),
        pytest.param(Usage(60, ()), "needs one pool", id="no-pool"),
        pytest.param(Usage(60, (replica_pool("a", NODE, lane(-1)),)), "there is a count below 0", id="negative"),
        pytest.param(
            Usage(60, (replica_pool("a", NODE, lane(1)), replica_pool("b", SPOT, lane(1, 2)))),
            "of the shape",
            id="shape",
        ),
        pytest.param(
            Usage(60, (PoolUse(NODE, lane(1), shares=(Share("a", lane(3), 0.5),)),)),
            "take more than its nodes hold",
            id="full",
        ),
        pytest.param(Usage(HOUR_S, (replica_pool("a", NODE, lane(3 * 10**9)),)), "above 2.5 billion", id="large"),
    ],
)
def test_what_does_not_fit_together_is_refused(usage: Usage, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bill(usage, prices())


def test_fractions_of_replicas_are_refused() -> None:
    pool = replica_pool("a", NODE, lane(1))
    with pytest.raises(ValueError, match="must be integers"):
        bill(Usage(60, (replace(pool, nodes=np.ones((1, 1))),)), prices())  # type: ignore[arg-type]  # that is the case


def test_an_offer_without_a_price_is_refused() -> None:
    with pytest.raises(PriceError, match=r"no instance type 'm6.large'"):
        bill(Usage(60, (replica_pool("a", Offer("aws", "m6.large", "us-east-1"), lane(1)),)), prices())


@pytest.mark.parametrize(("ticks", "hundredths"), [(12_600_000_000, 350), (18_000_000, 1), (17_999_999, 0), (0, 0)])
def test_cents_are_exact(ticks: int, hundredths: int) -> None:
    assert cents(ticks) == hundredths

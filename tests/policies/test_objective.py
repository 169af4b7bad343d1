"""What may be late, what lateness and churn are worth, whom to beat: what is accepted, and what is said of the rest."""

from typing import Any

import pytest

from policies.objective import Incumbent, Prices
from tests.policies.test_spec import document, parsed
from tests.policies.test_spec_problems import DEMAND, problems

CPU = {"name": "cpu", "kind": "demand", "query": "up", "capacityFromRequest": {"resource": "cpu"}}
LATE = {"name": "slow", "kind": "late", "query": "up"}
PRICES = {"replicaHour": 1.2, "lateRequest": 0.002}


@pytest.mark.parametrize(
    ("objective", "late_share", "late_in_an_hour"),
    [
        pytest.param({}, 0.01, None, id="one-per-cent-unless-told"),
        pytest.param({"late": "incumbent"}, 0.01, None, id="the-incumbent-until-it-is-measured"),
        # A quarter of 1 - 0.999; of that 5 % in one of 30 x 24 hours: 0.00025 x 0.05 x 720.
        pytest.param({"slo": {"target": 0.999}}, 0.00025, 0.009, id="a-quarter-of-what-the-slo-leaves"),
        pytest.param({"slo": {"target": 0.9}}, 0.01, 0.9, id="an-slo-that-leaves-more-than-the-default"),
        pytest.param({"late": "2%", "slo": {"target": 0.9}}, 0.02, 0.9, id="as-written-within-the-slo"),
        pytest.param({"late": "incumbent", "slo": {"target": 0.999, "window": "7d"}}, 0.00025, 0.0021, id="both"),
    ],
)
def test_how_late_requests_may_be(objective: dict[str, Any], late_share: float, late_in_an_hour: float | None) -> None:
    policy = parsed(document(objective=objective))
    found = policy.spec.objective

    assert found.late_share == pytest.approx(late_share)
    assert (None if found.slo is None else found.slo.late_in_an_hour) == pytest.approx(late_in_an_hour)
    assert parsed(policy.document()) == policy


def test_what_lateness_and_churn_cost_and_who_is_to_be_beaten() -> None:
    made = document(
        objective={"prices": {"replicaHour": 1.2, "lateRequest": 0.002, "signal": "rps"}, "churn": 0},
        incumbent={"target": "70%", "tolerance": 0, "window": "10m"},
    )
    policy = parsed(made)

    assert policy.spec.objective.prices == Prices(replica_hour=1.2, late_request=0.002, signal="rps")
    incumbent = policy.spec.incumbent
    assert isinstance(incumbent, Incumbent)
    assert (incumbent.type, incumbent.target, incumbent.tolerance, incumbent.window) == ("hpa", 0.7, 0.0, 600.0)
    assert policy.spec.objective.churn == 0.0
    assert parsed(policy.document()) == policy


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            document(objective={"late": "0.1%", "slo": {"target": "99.9%"}}),
            "spec.objective.late: 0.001 is above 0.00025, which is 25% of the error budget that slo.target (0.999)"
            " leaves; lower late, or leave it out to have that",
            id="more-lateness-than-the-slo-leaves",
        ),
        pytest.param(
            document(objective={"slo": {"target": 99.9}}),
            'spec.objective.slo.target: must be at least 0.5 and below 1, such as 0.999 or "99.9%", not 99.9',
            id="an-slo-in-per-cent-without-its-sign",
        ),
        pytest.param(
            document(objective={"slo": {"target": "100%"}}),
            'spec.objective.slo.target: must be at least 0.5 and below 1, such as 0.999 or "99.9%", not 1',
            id="an-slo-that-leaves-nothing",
        ),
        pytest.param(
            document(objective={"slo": {"target": "99%", "window": "12h"}}),
            "spec.objective.slo.window: must be from 1d to 90d, not 12h",
            id="an-slo-of-half-a-day",
        ),
        pytest.param(
            document(objective={"prices": {"replicaHour": 0, "lateRequest": 0.002}}),
            "spec.objective.prices.replicaHour: must be a price above 0 such as 1.20, not 0",
            id="replicas-for-nothing",
        ),
        pytest.param(
            document(objective={"prices": {"replicaHour": 1.2, "lateRequest": "0.2 cents"}}),
            "spec.objective.prices.lateRequest: must be a price above 0 such as 1.20, not '0.2 cents'",
            id="a-price-with-its-currency",
        ),
        pytest.param(
            document(objective={"prices": {"lateRequest": 0.002}}),
            "spec.objective.prices.replicaHour: is required",
            id="one-price-of-two",
        ),
        pytest.param(
            document(objective={"prices": PRICES}, signals=[CPU]),
            "spec.objective.prices: needs a demand signal in requests per second with capacityPerReplica:"
            " lateness is priced by request",
            id="prices-without-requests",
        ),
        pytest.param(
            document(objective={"prices": PRICES}, signals=[DEMAND, DEMAND | {"name": "tokens"}]),
            "spec.objective.prices: needs signal, the one of rps, tokens that is in requests per second",
            id="prices-of-one-of-two",
        ),
        pytest.param(
            document(objective={"prices": PRICES | {"signal": "rqs"}}),
            "spec.objective.prices.signal: must name a demand signal with capacityPerReplica, not 'rqs'; there is rps",
            id="prices-of-no-signal",
        ),
        pytest.param(
            document(objective={"churn": -1}), "spec.objective.churn: must be from 0 to 86400, not -1", id="paid-churn"
        ),
        pytest.param(
            document(objective={"churn": "30s"}),
            "spec.objective.churn: must be a number such as 30, not '30s'",
            id="churn-as-a-duration",
        ),
        pytest.param(
            document(incumbent={"type": "kpa"}),
            "spec.incumbent.type: must be hpa, not 'kpa' (did you mean hpa?)",
            id="an-incumbent-that-is-not-known",
        ),
        pytest.param(
            document(incumbent={"target": 70}),
            "spec.incumbent.target: must be above 0 and at most 1 (100%), not 70",
            id="an-incumbent's-target-without-its-sign",
        ),
        pytest.param(
            document(incumbent={"tolerance": -0.1}),
            "spec.incumbent.tolerance: must be from 0 to 0.9 (90%), not -0.1",
            id="an-incumbent-below-tolerance",
        ),
        pytest.param(
            document(signals=[LATE]),
            "spec.signals: must have a demand or pressure signal; a late one measures and asks for no replicas",
            id="nothing-but-a-measure",
        ),
        pytest.param(
            document(signals=[DEMAND, LATE | {"target": {"value": 1}}]),
            "spec.signals[1].target: is not a field here; the fields are kind, name, query, match",
            id="a-measure-with-a-target",
        ),
    ],
)
def test_one_fault_is_one_problem_in_plain_words(made: object, message: str) -> None:
    assert problems(made) == [message]


def test_a_share_that_cannot_be_read_beside_an_slo_is_told_once() -> None:
    assert problems(document(objective={"late": "much", "slo": {"target": "most"}})) == [
        "spec.objective.late: must be a share such as 0.01 or \"1%\", or the word incumbent, not 'much'",
        "spec.objective.slo.target: must be a share such as 0.01 or \"1%\", not 'most'",
    ]


def test_the_whole_part_of_the_slo_may_be_written_out() -> None:
    assert parsed(document(objective={"late": "0.025%", "slo": {"target": "99.9%"}})).spec.objective.late == 0.00025

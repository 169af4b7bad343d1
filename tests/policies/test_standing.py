"""How a tournament stands: whom it names, what they cost and missed, and what of that comes from other loads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.fleet import fleet_of
from policies.lead_time import LeadTime, forecast_of
from policies.model import UNKNOWN
from policies.standing import FAMILIES, Standing, candidate_name, family_name, margin_of, standing_of
from policies.tournament import CANDIDATES, GRID, HALF_LIFE_STEPS, INCUMBENT, SEASONAL
from tests.builders import one, policy

DAY = 2880  # steps
LARGEST_18 = 37  # the largest, 1.8 scales above it, held for 5 steps of 30 s


def lead_of(*in_charge: int, known: int = DAY, **scores: float) -> LeadTime:
    """What a tournament remembers of lanes; `scores` are values that hold for all of them."""
    lead = LeadTime.empty(len(in_charge))
    lead.scores.in_charge[:] = in_charge
    lead.scores.runner_up[:] = 200
    lead.scores.known[:] = known
    for name, value in scores.items():
        getattr(lead.scores, name)[:] = value
    return lead


@pytest.mark.parametrize(
    ("candidate", "name", "family"),
    [
        pytest.param(0, "largest -0.5 errors", "largest", id="the-first"),
        pytest.param(7, "largest +0 errors", "largest", id="no-margin"),
        pytest.param(LARGEST_18, "largest +1.8 errors, held 2.5 min", "largest", id="held"),
        # 112 of each expert; 9 times 7 holds more is a scale of 3.5 ... and 6 the longest hold, 120 steps.
        pytest.param(112 + 9 * 7 + 6, "last +3.5 errors, held 60 min", "last", id="the-second-expert"),
        pytest.param(GRID - 1, "middle +15 errors, held 60 min", "middle", id="the-last-of-the-grid"),
        pytest.param(INCUMBENT, "incumbent", "incumbent", id="incumbent"),
        pytest.param(SEASONAL, "seasonal-naive", "seasonal-naive", id="seasonal-naive"),
    ],
)
def test_a_candidate_has_a_name_and_a_family(candidate: int, name: str, family: str) -> None:
    assert (candidate_name(candidate), family_name(candidate)) == (name, family)


def test_every_candidate_has_a_name_of_its_own_and_a_known_family() -> None:
    assert len({candidate_name(each) for each in range(CANDIDATES)}) == CANDIDATES == 338
    assert {family_name(each) for each in range(CANDIDATES)} == set(FAMILIES)
    assert margin_of(LARGEST_18) == (1.8, 150.0)


def test_costs_are_means_and_late_shares_are_of_the_load() -> None:
    lead = lead_of(LARGEST_18, known=7 * DAY)
    # After 7 days, one half-life, 720 of the 1440 steps of other loads are left, beside 9280 that were seen: 10,000.
    # `usual` began with 480 steps, of which 240 are left.
    lead.scores.usual[0, 1] = 9280 + 240
    lead.scores.load[0, -1] = 50_000.0
    lead.scores.cost[0, -1, [LARGEST_18, 200, INCUMBENT]] = [80_000.0, 90_000.0, 110_000.0]
    lead.scores.late[0, -1, [LARGEST_18, 200, INCUMBENT]] = [350.0, 400.0, 60_000.0]
    lead.scores.realised[0] = [3.0, 1000.0, 2.0]
    stands = standing_of(lead, one())
    assert stands.candidate.tolist() == [[LARGEST_18, 200, INCUMBENT]]
    assert stands.cost[0] == pytest.approx([8.0, 9.0, 11.0])
    assert stands.late[0] == pytest.approx([0.007, 0.008, 1.0])  # never more than all
    assert stands.elsewhere[0] == pytest.approx(0.072)
    assert (stands.realised[0], stands.budget[0]) == (0.003, 0.01)
    assert (stands.there[0], stands.proven[0], stands.evidence_ratio[0]) == (True, True, 1.0)
    assert HALF_LIFE_STEPS[-1] == 7 * DAY


def test_others_that_are_nearly_as_good_share_in_the_order() -> None:
    lead = lead_of(LARGEST_18, LARGEST_18, INCUMBENT)
    lead.scores.sharing[:] = 0, 3, 3
    fleet = fleet_of([policy(name) for name in "abc"])
    assert standing_of(lead, fleet).sharing.tolist() == [0, 3, 0]


def test_before_any_evidence_all_comes_from_other_loads() -> None:
    lead = lead_of(LARGEST_18, known=0)
    lead.scores.usual[0] = 4800.0, 480.0
    stands = standing_of(lead, one())
    assert stands.elsewhere.tolist() == [1.0]
    assert (stands.there[0], stands.proven[0], stands.evidence_ratio[0]) == (True, False, 0.0)


def test_evidence_grows_to_a_day() -> None:
    assert standing_of(lead_of(0, known=720), one()).evidence_ratio.tolist() == [0.25]
    assert standing_of(lead_of(0, known=720), one()).known_s.tolist() == [21_600.0]


def test_nobody_is_in_charge_before_the_first_load_and_where_nothing_is_to_be_forecast() -> None:
    fleet = fleet_of([policy("a"), policy("b"), policy("c", forecast={"enabled": False})])
    stands = standing_of(lead_of(5, UNKNOWN, 5), fleet)
    assert stands.there.tolist() == [True, False, False]
    assert stands.candidate[1:].tolist() == [[UNKNOWN] * 3] * 2
    assert not stands.proven[1:].any()
    nobody = Standing.none(2)
    assert (nobody.there.tolist(), nobody.proven.tolist()) == ([False, False], [False, False])


@pytest.mark.parametrize(
    ("objective", "known", "late", "expected"),
    [
        pytest.param({"late": 0.02}, DAY, 0.2, 0.02, id="as-written"),
        pytest.param({"late": "incumbent"}, DAY, 0.04, 0.04, id="what-the-incumbent-missed"),
        pytest.param({"late": "incumbent"}, DAY - 1, 0.04, 0.01, id="not-before-that-is-measured"),
        pytest.param({"late": "incumbent"}, DAY, 0.0, 0.0001, id="never-nothing-at-all"),
        pytest.param(
            {"late": "incumbent", "slo": {"target": 0.98, "window": "30d"}},
            DAY,
            0.04,
            0.005,  # a quarter of the 2 % that the SLO allows
            id="within-the-slo",
        ),
    ],
)
def test_the_budget(objective: dict[str, object], known: int, late: float, expected: float) -> None:
    lead = lead_of(0, known=known, load=1000.0)
    lead.scores.late[0, -1, INCUMBENT] = 1000.0 * late
    assert standing_of(lead, one(objective=objective)).budget[0] == pytest.approx(expected)


def test_a_forecast_is_for_when_an_order_made_now_serves() -> None:
    lead, startup_s = replace(lead_of(0, 0, 0), lag=np.array([1, 4, 1])), np.array([60.0, 61.0, 9000.0])
    fleet = fleet_of([policy(name) for name in "abc"])
    # Steps of 30 s, and an hour at most.
    assert forecast_of(lead, fleet, startup_s).lead_s.tolist() == [60.0, 90.0, 3600.0]


def test_the_ends_of_a_forecast() -> None:
    lead = lead_of(LARGEST_18)
    lead.scores.level[0, :, 0] = [2.3, 2.0, 2.15]
    lead.scores.upper[0] = np.log(17.0)
    forecast = forecast_of(lead, one(), np.array([60.0]))
    assert forecast.median[0] == pytest.approx(6.889, abs=1e-3)  # e^2 less a half
    assert forecast.upper[0] == pytest.approx(16.5)

"""A whole audit of small cases: who is compared with whom, within which bounds, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulations.audit.autoscaler import About
from simulations.audit.contenders import FORESAIL, contenders
from simulations.audit.document import Report, Spent, document_of
from simulations.audit.starter import starter
from simulations.audit.verdict import audit, fleet_of
from simulations.report.words import verdict
from tests.simulations.audit.builders import DAY, START_S, a_step_behind, autoscaler, case

STEPS = DAY + 960  # a day of warm-up and eight hours to compare


@pytest.fixture(scope="module")
def demand() -> np.ndarray:
    load = np.full(STEPS, 20.0)
    load[DAY + 480 :] = 60.0
    return load


def test_a_past_is_compared_with_foresail_on_the_same_steps(demand: np.ndarray) -> None:
    # 20 needs 3 replicas and 60 needs 8; there were always 5, which serve 40.
    [found], passed = audit([case(demand, paid=np.full(STEPS, 5.0), price=0.5)], engine=a_step_behind)
    assert passed == []
    assert found.incumbent.replica_hours == pytest.approx(40)
    assert found.incumbent.late_ratio == pytest.approx(480 * 60 / (480 * 60 + 480 * 20))
    # The clairvoyant has 8 replicas two steps before the rise at step 480 of 960.
    assert found.least_replica_hours == pytest.approx((478 * 3 + 482 * 8) / 120)
    # The engine asks for the rise a step later and its replicas are ready two steps after: late for three steps.
    assert found.foresail.late_ratio == pytest.approx(3 * 60 / (480 * 80))
    assert found.cost_ratio == pytest.approx(found.foresail.replica_hours / 40)
    assert found.scored_days == pytest.approx(1 / 3)
    assert verdict(found).startswith("over 0.3 days it paid 40.0 replica-hours and 75.0 % of the load was late")
    assert {one.about for one in found.findings} == {About.HISTORY, About.CENSORED}


def test_the_engine_of_the_product_replays_every_case_within_its_bounds() -> None:
    load = np.full(240, 20.0)
    load[120:] = 60.0
    short = case(load, startup_s=60)
    bounded = case(load, scaled=autoscaler(high=6))
    plans = contenders([short, bounded], "hpa:0.7000")
    # 20 / 7 and 60 / 7 replicas at the target of 70 %; the metric is a step old, replicas serve two steps later.
    assert plans[0].paid[[0, 120, 121, 239]].tolist() == [3, 3, 9, 9]
    assert plans[0].ready[[122, 123]].tolist() == [3, 9]  # as asked for at 121
    assert plans[1].paid.max() == 6
    told: list[int] = []
    assert contenders([short], FORESAIL, on_step=told.append)[0].paid.size == 240
    assert told == [0, 120, 239]


def test_foresail_is_held_to_the_autoscalers_bounds(demand: np.ndarray) -> None:
    [found], _ = audit([case(demand, paid=np.full(STEPS, 5.0), scaled=autoscaler(low=4, high=6))], engine=a_step_behind)
    assert (found.foresail.paid.min(), found.foresail.paid.max()) == (4, 6)


def test_without_a_past_the_incumbents_rule_stands_for_it(demand: np.ndarray) -> None:
    [found], _ = audit([case(demand)], engine=a_step_behind)
    assert (found.incumbent.who, found.rule.who) == ("incumbent", "rule")
    np.testing.assert_array_equal(found.incumbent.paid, found.rule.paid)


def test_too_short_a_past_is_passed_over_with_its_reason(demand: np.ndarray) -> None:
    audited, [passed] = audit([case(demand[: DAY + 600])], engine=a_step_behind)
    assert audited == []
    assert passed.why.startswith("5.0 hours are left to compare after 24 hours of warm-up and gaps; at least 6")


def test_the_fleet_adds_up_and_money_needs_every_price(demand: np.ndarray) -> None:
    one = case(demand, paid=np.full(STEPS, 5.0), price=0.5)
    other = replace(one, autoscaler=autoscaler("chat"), replica_hour_price=2.0)
    audited, _ = audit([one, other], engine=a_step_behind)
    fleet = fleet_of(audited)
    assert fleet is not None
    assert fleet.incumbent_hours == pytest.approx(80)
    assert fleet.incumbent_money == pytest.approx(40 * 0.5 + 40 * 2.0)
    assert fleet.incumbent_late == pytest.approx(0.75)
    unpriced = fleet_of([audited[0], replace(audited[1], case=replace(other, replica_hour_price=None))])
    assert unpriced is not None
    assert unpriced.incumbent_money is None
    assert fleet_of([]) is None


def test_the_policy_to_start_with_is_in_shadow_and_has_what_the_audit_used() -> None:
    policy = starter(case(np.ones(10), scaled=autoscaler(low=2, high=9)))
    assert (policy.uid, policy.spec.mode) == ("shop/web", "shadow")
    assert (policy.spec.replicas.min, policy.spec.replicas.max) == (2, 9)
    [signal] = policy.spec.signals
    assert signal.query == "sum(load)"
    assert policy.document()["spec"]["signals"][0]["capacityPerReplica"] == "10"  # type: ignore[index]  # plain values


def test_the_document_has_every_figure(demand: np.ndarray) -> None:
    audited, passed = audit([case(demand, paid=np.full(STEPS, 5.0)), case(demand[:DAY])], engine=a_step_behind)
    told: Any = document_of(Report(START_S, "here", audited, passed, Spent(7, 1.0, 2.0, 100)))
    [workload] = told["workloads"]
    assert workload["incumbent"]["replicaHours"] == 40
    assert workload["incumbent"]["late"] == {"value": 0.75, "interval95": None}
    assert workload["window"]["comparedFrom"] == "2023-11-16T00:00:00Z"
    assert told["spent"] == {"queries": 7, "maxQueries": 100, "querySeconds": 1.0, "wallSeconds": 2.0}
    [short] = told["notAudited"]
    assert short["name"] == "shop/web"

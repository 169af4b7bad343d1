"""A whole audit of small cases: who is compared with whom, within which bounds, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.behavior import Behavior
from simulations.audit.autoscaler import About
from simulations.audit.contenders import Foresail, Plan, Rule, Who, plan
from simulations.audit.document import Report, Spent, document_of
from simulations.audit.starter import starter
from simulations.audit.verdict import audit, fleet_of
from simulations.report.words import verdict
from tests.simulations.audit.builders import DAY, START_S, a_step_behind, autoscaler, case

if TYPE_CHECKING:
    from simulations.audit.case import Case

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
    free = plan(case(load, startup_s=60), Rule())
    # 20 / 7 and 60 / 7 replicas at the target of 70 %; the metric is a step old, replicas serve two steps later.
    assert free.paid[[0, 120, 121, 239]].tolist() == [3, 3, 9, 9]
    assert free.ready[[122, 123]].tolist() == [3, 9]  # as asked for at 121
    assert plan(case(load, scaled=autoscaler(high=6)), Rule()).paid.max() == 6


def test_a_rule_with_a_behavior_of_its_own_is_replayed_with_it() -> None:
    load = np.full(240, 20.0)
    load[120:] = 60.0
    slow = Behavior.model_validate(
        {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "stabilizationWindowSeconds": 0}}
    )
    written = case(load, scaled=replace(autoscaler(), behavior=slow))
    paid = plan(written, Rule()).paid
    # One pod a minute, from step 121 on, up to 8, whose load of 60 is within a tenth of the target: 60 / 56.
    assert paid[[120, 121, 122, 123, 125, 129, 131, 239]].tolist() == [3, 4, 4, 5, 6, 8, 8, 8]


def test_foresails_forecast_stands_at_the_steps_it_was_made_for() -> None:
    load = np.full(600, 20.0)
    load[300:] = 60.0
    made = plan(case(load, startup_s=300), Foresail())
    assert made.band is not None
    expected, upper = made.band.expected, made.band.upper
    # An hour without orders, the delay of the metric, and ten steps ahead: from step 129 on.
    assert np.flatnonzero(np.isfinite(expected))[0] in range(129, 135)
    assert np.isfinite(upper[140:]).all()
    np.testing.assert_allclose(expected[250:300], 2.5, atol=0.5)  # 20 / 8
    # The rise is seen a step later and told of ten steps ahead: not before step 311.
    assert (expected[301:311] < 4.0).all()
    assert expected[330:].mean() > 5.0
    # A load that is off a whole step is put on one: the daemon decides at whole ones.
    late = case(load, startup_s=300)
    late = replace(late, track=replace(late.track, at_s=late.track.at_s + 7.0))
    np.testing.assert_array_equal(plan(late, Foresail()).paid, made.paid)


def test_where_one_costs_less_and_the_other_is_late_less_foresail_is_asked_for_the_late_share_of_before(
    demand: np.ndarray,
) -> None:
    asked: list[Who] = []

    def engine(case: Case, who: Who) -> Plan:
        """Foresail pays for as many as are needed less one, or for 20 where it is asked to be late less."""
        asked.append(who)
        tight = isinstance(who, Foresail) and who.late_ratio < 0.01
        paid = np.full(case.track.demand.size, 20 if tight else 2)
        return Plan(paid, paid)

    # 10 serve 80: never late, at 80 replica-hours; 2 serve 16: always late, at 16.
    [found], _ = audit([case(demand, paid=np.full(STEPS, 10.0))], engine=engine)
    assert asked == [Foresail(), Rule(), Foresail(0.0001)]  # the smallest budget there is
    assert found.as_late is not None
    assert found.as_late.foresail.replica_hours == pytest.approx(160)
    words = verdict(found)
    assert (
        "So Foresail costs less but is late more. Asked to keep 0.01 % late, the least that can be asked, Foresail"
        in words
    )
    assert " paid 100 % more and 0.00 % would have been late." in words
    document: Any = document_of(Report(START_S, "here", [found], [], Spent()))
    told = document["workloads"][0]["foresailAsLate"]
    assert (told["objective"], told["replicaHours"], told["costRatio"]["value"]) == (0.0001, 160, 2)
    # 2 are late more and cost less than 10, but no less than 2.
    [even], _ = audit([case(demand, paid=np.full(STEPS, 2.0))], engine=engine)
    assert even.as_late is None


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


def test_a_behavior_of_its_own_is_said_to_bind_its_rule_alone(demand: np.ndarray) -> None:
    scaled = replace(autoscaler(), behavior=Behavior.model_validate({"scaleDown": {"selectPolicy": "Disabled"}}))
    [found], _ = audit([case(demand, paid=np.full(STEPS, 5.0), scaled=scaled)], engine=a_step_behind)
    [told] = [one.message for one in found.findings if one.about is About.BEHAVIOR]
    assert "and not Foresail" in told


def test_workloads_of_other_days_have_no_interval_together() -> None:
    days = 5 * DAY
    load = 20.0 + np.arange(days) // DAY
    one = case(load, paid=np.full(days, 5.0))
    moved = replace(one, track=replace(one.track, at_s=one.track.at_s + 3600.0))
    same, _ = audit([one, one], engine=a_step_behind)
    other, _ = audit([one, moved], engine=a_step_behind)
    together, apart = fleet_of(same), fleet_of(other)
    assert together is not None
    assert apart is not None
    assert together.cost is not None
    assert apart.cost is None
    assert apart.cost_ratio == pytest.approx(together.cost_ratio)
    assert apart.incumbent_late == pytest.approx(together.incumbent_late)


def test_workloads_are_told_and_kept_in_their_order() -> None:
    cases = [case(np.full(STEPS, 20.0), paid=np.full(STEPS, 5.0), scaled=autoscaler(name)) for name in ("b", "a", "c")]
    told: list[str] = []
    audited, _ = audit(cases, told=told.append, engine=a_step_behind)
    assert [each.case.name for each in audited] == ["shop/b", "shop/a", "shop/c"]
    assert told == [
        "replaying 3 workloads",
        "replayed shop/b, 1 of 3",
        "replayed shop/a, 2 of 3",
        "replayed shop/c, 3 of 3",
    ]


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

"""Policies whose queries Prometheus refuses bring no rules, and a silent Prometheus changes nothing."""

import pytest

from controller.publish import Answered
from controller.records import PolicySet, TickReport
from policies.engine import decide
from policies.fleet import fleet_of
from policies.model import Status, Why
from policies.state import EngineState
from tests.builders import FREE, demand, late, policy, pressure, readings, seen

POLICIES = (policy("bad", demand(), late()), policy("good", demand(), pressure(average=5)))
OK, BAD, DOWN, SLOW = Why.OK, Why.BAD_QUERY, Why.SOURCE_DOWN, Why.DEADLINE


def _tick(*why: Why) -> TickReport:
    """What was read of the four signals: bad's load and late, good's load and pressure."""
    fleet = fleet_of(POLICIES, FREE)
    status = [Status.FRESH if each is OK else Status.MISSING for each in why]
    observed = seen([1, 1], readings([0.5] * len(why), status, why))
    _, decision = decide(fleet, EngineState.fresh(fleet), observed)
    given = PolicySet(POLICIES, (), "digest")
    return TickReport(0.0, given, fleet, observed, decision, (), {}, (), (), {}, {}, ())


def _uids(*ticks: TickReport) -> list[str]:
    answered = Answered()
    for tick in ticks:
        answered = answered.after(tick)
    return [each.uid for each in answered.policies]


def test_nothing_is_known_until_prometheus_has_answered_once() -> None:
    assert Answered().after(_tick(DOWN, DOWN, SLOW, DOWN)) == Answered()
    assert Answered().after(_tick(OK, OK, OK, OK)).version == "digest"


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        pytest.param([(OK, OK, OK, OK)], ["shop/bad", "shop/good"], id="all-that-are-answered"),
        pytest.param([(OK, Why.NO_SERIES, OK, OK)], ["shop/bad", "shop/good"], id="one-without-series-too"),
        pytest.param([(OK, BAD, OK, OK)], ["shop/good"], id="not-one-that-is-refused"),
        pytest.param([(OK, OK, OK, BAD)], ["shop/bad", "shop/good"], id="a-signal-of-pressure-is-in-no-rule"),
        pytest.param([(OK, BAD, OK, OK), (DOWN,) * 4], ["shop/good"], id="silence-takes-no-refusal-back"),
        pytest.param([(OK, OK, OK, OK), (DOWN,) * 4], ["shop/bad", "shop/good"], id="silence-takes-no-rule-away"),
        pytest.param([(OK, BAD, OK, OK), (OK,) * 4], ["shop/bad", "shop/good"], id="a-query-that-was-mended-is-back"),
    ],
)
def test_whose_rules_are_published(ticks: list[tuple[Why, ...]], expected: list[str]) -> None:
    assert _uids(*(_tick(*why) for why in ticks)) == expected


def test_a_refusal_is_another_version() -> None:
    assert Answered().after(_tick(OK, BAD, OK, OK)).version == "digest shop/bad"

"""What is told of the tournament: who is in charge, what it and the others cost and missed, on what evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.engine import decide
from policies.explain import sentences, steps_of
from policies.model import UNKNOWN, Forecast, Status, Why
from policies.standing import Standing, awaited_tracks
from policies.state import EngineState
from policies.tournament import INCUMBENT, SEASONAL
from tests.builders import NOW_S, demand, one, ordering, pressure, readings, ready_pods, requested, seen

HOUR = 120  # steps
LARGEST_18 = 37  # held for 5 steps of 30 s
LAST_0 = 119  # no margin, not held
MIDDLE_LESS = 226  # half a scale below, held for 5 steps
KINDS = ("In charge", "In shadow", "Late were", "Evidence")


def standing(
    *candidates: int, hours: float = 200.0, trim: float = 0.0, elsewhere: float = 0.0, sharing: int = 0
) -> Standing:
    """In charge and runner-up, beside the incumbent, with figures that tell them apart."""
    return Standing(
        candidate=np.array([[*candidates, INCUMBENT if candidates[0] != UNKNOWN else UNKNOWN]]),
        trim=np.array([trim]),
        cost=np.array([[8.24, 8.5, 11.0]]),
        late=np.array([[0.00712, 0.008, 0.002]]),
        elsewhere=np.array([elsewhere]),
        realised=np.array([0.006]),
        budget=np.array([0.01]),
        known=np.array([round(hours * HOUR)]),
        sharing=np.array([sharing]),
    )


def story(stands: Standing) -> tuple[str, ...]:
    fleet, observation = one(), seen([10], readings([70]))
    forecast = Forecast(np.array([True]), np.array([60.0]), np.array([9.0]), np.array([11.5]), np.array([12]))
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)
    return sentences(fleet, observation, replace(decision, forecast=forecast, standing=stands), 0)


def told(stands: Standing) -> tuple[str, ...]:
    return tuple(sentence for sentence in story(stands) if sentence.startswith(KINDS))


def test_all_of_it() -> None:
    assert told(standing(LARGEST_18, LAST_0, trim=0.2)) == (
        (
            "In charge: the largest load forecast until replicas started now serve, plus 2.0 of its usual errors (1.8"
            " and a trim of +0.2), held 2.5 min."
        ),
        (
            "In shadow over about a week it cost 8.2 replicas and was 0.71 % late; the runner-up (last +0 errors) 8.5"
            " replicas and was 0.8 % late; the incumbent 11.0 replicas and was 0.2 % late."
        ),
        "Late were 0.6 % of the load over 200 h; 1 % may be.",
        "Evidence: 24 h and more, so it decides alone while all data is fresh.",
    )


@pytest.mark.parametrize(
    ("candidate", "trim", "expected"),
    [
        pytest.param(
            LAST_0,
            0.04,
            "In charge: the load forecast for when replicas started now serve.",
            id="no-margin-and-a-trim-too-small-to-tell",
        ),
        pytest.param(
            MIDDLE_LESS,
            -0.5,
            "In charge: the middle of the load forecast for when replicas started now serve and the largest until then,"
            " minus 1.0 of its usual errors (-0.5 and a trim of -0.5), held 2.5 min.",
            id="below-what-is-forecast",
        ),
        pytest.param(INCUMBENT, 1.0, "In charge: the incumbent, Kubernetes' rule at its own settings.", id="incumbent"),
        pytest.param(SEASONAL, 1.0, "In charge: what the load needed at this time yesterday.", id="seasonal-naive"),
    ],
)
def test_who_is_in_charge(candidate: int, trim: float, expected: str) -> None:
    assert told(standing(candidate, LARGEST_18, trim=trim))[0] == expected


@pytest.mark.parametrize(
    ("sharing", "expected"),
    [
        pytest.param(0, "serve.", id="nobody-else"),
        pytest.param(1, "serve. Another that is nearly as good has a share in its order.", id="one-more"),
        pytest.param(12, "serve. 12 more that are nearly as good have a share in its order.", id="many-more"),
    ],
)
def test_who_else_has_a_share(sharing: int, expected: str) -> None:
    assert told(standing(LAST_0, LARGEST_18, sharing=sharing))[0].endswith(expected)


@pytest.mark.parametrize("others", [pytest.param((INCUMBENT, LAST_0), id="in-charge"), (LAST_0, INCUMBENT)])
def test_the_incumbent_is_told_once(others: tuple[int, int]) -> None:
    figures = told(standing(*others))[1]
    assert figures.count("replicas and was") == 2
    assert ("the runner-up (incumbent)" in figures) == (others[1] == INCUMBENT)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        pytest.param(
            0.25,
            ("Evidence: 15 min of 24 h; Kubernetes' rule stands alone until it has 1 h.",),
            id="before-its-order-counts-nothing-is-said-of-costs",
        ),
        pytest.param(
            14,
            (
                (
                    "In shadow over 14 h it cost 8.2 replicas and was 0.71 % late; the runner-up (last +0 errors) 8.5"
                    " replicas and was 0.8 % late; the incumbent 11.0 replicas and was 0.2 % late. 46 % of these"
                    " figures is what such candidates do on other loads."
                ),
                "Late were 0.6 % of the load over 14 h; 1 % may be.",
                "Evidence: 14 h of 24 h; until then the larger of its order and Kubernetes' rule stands.",
            ),
            id="before-it-decides-alone",
        ),
    ],
)
def test_evidence_that_is_thin(hours: float, expected: tuple[str, ...]) -> None:
    assert told(standing(LARGEST_18, LAST_0, hours=hours, elsewhere=0.46))[1:] == expected


def test_a_few_figures_of_other_loads_are_not_worth_a_sentence() -> None:
    assert "other loads" not in told(standing(LARGEST_18, LAST_0, elsewhere=0.09))[1]


def test_after_long_the_spans_are_those_of_memory() -> None:
    figures, real = told(standing(LARGEST_18, LAST_0, hours=500.0))[1:3]
    assert figures.startswith("In shadow over about a week it")
    assert real.startswith("Late were 0.6 % of the load over about two weeks;")


def test_nothing_is_told_where_nobody_is_in_charge() -> None:
    assert told(standing(UNKNOWN, UNKNOWN)) == ()


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(
            LARGEST_18,
            "In 60 s demand is forecast to need 9.0 replicas, 11.5 with the margin of the one in charge; the one in"
            " charge orders 12.",
            id="with-a-margin",
        ),
        pytest.param(
            SEASONAL,
            "In 60 s demand is forecast to need 9.0 replicas; the one in charge orders 12.",
            id="of-its-own-kind",
        ),
    ],
)
def test_the_forecast(candidate: int, expected: str) -> None:
    assert story(standing(candidate, LAST_0))[2] == expected


MISSING, STALE, CENSORED = (
    (Status.MISSING, Why.NO_SERIES),
    (Status.STALE, Why.TOO_OLD),
    (Status.CENSORED, Why.SATURATED),
)
FRESH = (Status.FRESH, Why.OK)


@pytest.mark.parametrize(
    ("known", "second", "expected"),
    [
        pytest.param(
            0,
            MISSING,
            "Evidence: none, because signal tokens is missing (no series matches); a load counts only while all demand"
            " signals are fresh. Until then Kubernetes' rule stands alone.",
            id="missing-from-the-start",
        ),
        pytest.param(
            HOUR,
            STALE,
            "No evidence is added now, because signal tokens is not fresh (the newest sample is too old); a load counts"
            " only while all demand signals are fresh.",
            id="lost-later",
        ),
        pytest.param(HOUR, CENSORED, None, id="a-lower-bound-counts"),
        pytest.param(0, FRESH, None, id="all-fresh"),
    ],
)
def test_a_demand_signal_for_want_of_which_no_evidence_is_gathered(
    known: int, second: tuple[Status, Why], expected: str | None
) -> None:
    fleet = one(demand(), demand("tokens"))
    status, why = zip(FRESH, second, strict=True)
    learned = ordering(fleet, 10) if known else None  # of an hour
    observation = seen([10], readings([70, 70], status, why), NOW_S + 30.0, learned=learned)
    state, decision = decide(fleet, EngineState.fresh(fleet), observation)

    told = [each for each in sentences(fleet, observation, decision, 0) if "vidence" in each and "because" in each]
    assert told == ([] if expected is None else [expected])
    assert state.lead.scores.known[0] - known == (expected is None)


def test_nothing_is_awaited_where_nothing_is_to_be_forecast() -> None:
    fleet, observation = one(forecast={"enabled": False}), seen([10], readings([70], *MISSING))
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)
    assert awaited_tracks(fleet, observation, decision.readings).tolist() == [False]


def test_a_demand_signal_of_which_nobody_knows_what_a_replica_serves() -> None:
    fleet, observation = one(requested()), seen([10], readings([7]))  # no pods, so no requests
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)
    assert (
        "Evidence: none, because nobody knows what a replica serves of signal cpu; a load counts only while all demand"
        " signals are fresh. Until then Kubernetes' rule stands alone."
    ) in sentences(fleet, observation, decision, 0)


@pytest.mark.parametrize(
    ("waiting", "expected", "rule"),
    [
        pytest.param(
            20,
            "The one in charge decides alone and orders 8; Kubernetes' rule said 10.",
            ("tournament", 10, 8),
            id="tournament",
        ),
        pytest.param(
            43,
            "Signals of pressure ask for 9, more than the 8 that were ordered.",
            ("pressure", 8, 9),
            id="pressure",
        ),
    ],
)
def test_the_rules_of_an_order_that_stands_alone(waiting: float, expected: str, rule: tuple[str, int, int]) -> None:
    fleet = one(demand(), pressure(average=5), behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    learned = ordering(fleet, 8, alone=True)
    observation = seen([10], readings([70, waiting]), pods=ready_pods(10), learned=learned)
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert sentences(fleet, observation, decision, 0)[-2] == expected
    assert steps_of(decision, 0)[-1] == rule

"""The sentences that tell how a decision came about, word for word."""

import numpy as np
import pytest

from policies.arrays import booleans, integers
from policies.engine import decide
from policies.explain import HOLD_WORDS, RULE_SENTENCES, WHY_WORDS, sentences, steps_of
from policies.fleet import fleet_of
from policies.guardrails import HOLD_RULES
from policies.model import RULES, UNKNOWN, Hold, Limits, Starts, Status, Why
from policies.state import EngineState
from tests.builders import Document, Ticks, demand, late, one, ordering, policy, pressure, readings, seen

QUICK = {"scaleDown": {"stabilizationWindowSeconds": 0}}
OK = "Signal load is 70, 12 s old (fresh); it asks for 10."


def told(fleet_spec: Document, replicas: int, value: float, **more: object) -> tuple[str, ...]:
    """The story of a first decision; `more` are status, why, order (of the lead-time layer) and hold."""
    fleet = one(**{"forecast": {"enabled": "order" in more}, **fleet_spec})
    read = readings([value], more.get("status", Status.FRESH), more.get("why", Why.OK), age_s=12)
    learned = ordering(fleet, int(str(more["order"]))) if "order" in more else None
    hold = np.array([more.get("hold", Hold.NONE)], np.int8)
    observation = seen([replicas], read, learned=learned, hold=hold)
    return sentences(fleet, observation, decide(fleet, EngineState.fresh(fleet), observation)[1], 0)


@pytest.mark.parametrize(
    ("spec", "replicas", "value", "more", "expected"),
    [
        pytest.param({}, 10, 70, {}, (OK, "No rule asks for a change.", "Decision: keep 10."), id="steady"),
        pytest.param(
            {},
            6,
            70,
            {},
            (OK, "The signals ask for 10 (Kubernetes' rule; it was 6).", "Decision: raise from 6 to 10."),
            id="signals",
        ),
        pytest.param(
            {"behavior": QUICK},
            20,
            70,
            {},
            (OK, "The signals ask for 10 (Kubernetes' rule; it was 20).", "Decision: lower from 20 to 10."),
            id="lower",
        ),
        pytest.param(
            {},
            20,
            70,
            {"status": Status.STALE, "why": Why.TOO_OLD},
            (
                "Signal load is 70, 12 s old (the newest sample is too old); it asks for 10.",
                "The signals ask for 10 (Kubernetes' rule; it was 20).",
                "Some data is not fresh, and only fresh data may lower: 20 instead of 10.",
                "Decision: keep 20.",
            ),
            id="missing-data",
        ),
        pytest.param(
            {},
            20,
            0,
            {"status": Status.MISSING, "why": Why.DEADLINE},
            (
                "Signal load is missing: no answer within the deadline.",
                "No rule asks for a change.",
                "Decision: keep 20.",
            ),
            id="a-hole",
        ),
        pytest.param(
            {},
            20,
            70,
            {},
            (
                OK,
                "The signals ask for 10 (Kubernetes' rule; it was 20).",
                "A stabilisation window keeps 20 instead of 10.",
                "Decision: keep 20.",
            ),
            id="stabilisation",
        ),
        pytest.param(
            {},
            2,
            70,
            {},
            (
                OK,
                "The signals ask for 10 (Kubernetes' rule; it was 2).",
                "The behavior's rate policies allow 6 instead of 10.",
                "Decision: raise from 2 to 6.",
            ),
            id="rate-limit",
        ),
        pytest.param(
            {"low": 3, "high": 8},
            6,
            70,
            {},
            (
                OK,
                "The signals ask for 10 (Kubernetes' rule; it was 6).",
                "The bounds in force (3 to 8) make it 8 instead of 10.",
                "Decision: raise from 6 to 8.",
            ),
            id="bounds",
        ),
        pytest.param(
            {},
            10,
            70,
            {"order": 20},
            (
                OK,
                (
                    "In 2 min demand is forecast to need 0.0 replicas, 0.0 with the margin of the one in charge; the"
                    " one in charge orders 20."
                ),
                "The forecast needs 20 once replicas started now are ready, instead of 10.",
                "Decision: raise from 10 to 20.",
            ),
            id="forecast",
        ),
        *(
            pytest.param(
                {},
                6,
                70,
                {"hold": hold},
                (
                    OK,
                    "The signals ask for 10 (Kubernetes' rule; it was 6).",
                    sentence,
                    f"Decision: hold at 6, because {HOLD_WORDS[hold]}.",
                ),
                id=HOLD_RULES[hold],
            )
            for hold, sentence in (
                (Hold.PAUSED, "The policy's mode is paused: 6 stays, where 10 was decided."),
                (Hold.ANNOTATION, "The annotation foresail.dev/paused holds 6, where 10 was decided."),
                (Hold.KILL_SWITCH, "The kill switch holds 6, where 10 was decided."),
                (Hold.OWNED, "Another controller scales this object: 6 stays, where 10 was decided."),
                (Hold.NO_TARGET, "The target cannot be read: 6 stays, where 10 was decided."),
                (Hold.CLUSTER_DOWN, "What is known of the cluster is too old: 6 stays, where 10 was decided."),
                (Hold.FORBIDDEN, "The API server refuses the change: 6 stays, where 10 was decided."),
            )
        ),
    ],
)
def test_the_story(spec: Document, replicas: int, value: float, more: Document, expected: tuple[str, ...]) -> None:
    story = told(spec, replicas, value, **more)
    other = ("Demand fills", "In charge", "In shadow", "Late were", "Evidence")  # test_explain_standing.py
    assert tuple(sentence for sentence in story if not sentence.startswith(other)) == expected


def test_demand_and_what_kubernetes_alone_would_do() -> None:
    assert told({}, 10, 70)[1] == (
        "Demand fills 8.8 replicas to the serving limit; Kubernetes' rule alone would have 10."  # 70 / 8
    )


def test_the_fleet_breaker_speaks() -> None:
    world = Ticks(one(behavior=QUICK, limits=Limits(removal_ratio=0.1)), [20])
    observation = seen([20], readings([70]))
    decision = world.tick(observation.readings)

    assert sentences(world.fleet, observation, decision, 0)[-2:] == (
        "The fleet breaker lets no more replicas go for now: 18 instead of 10.",
        "Decision: lower from 20 to 18.",
    )
    assert steps_of(decision, 0) == (("signals", 20, 10), ("fleet_breaker", 10, 18))


def test_a_lane_tells_its_own_signals_and_steps() -> None:
    rows = ("a",), ("b", demand(), pressure(average=5)), ("c",)
    fleet = fleet_of([policy(name, *more, forecast={"enabled": False}) for name, *more in rows])
    observation = seen([10, 4, 10], readings([70, 7, 40, 70]))
    decision = decide(fleet, EngineState.fresh(fleet), observation)[1]

    assert sentences(fleet, observation, decision, 1) == (
        "Signal load is 7, 0 s old (the workload was saturated, so it is a lower bound); it asks for 1.",
        "Signal queue is 40, 0 s old (fresh); it asks for 8.",
        "Demand fills 0.9 replicas to the serving limit; Kubernetes' rule alone would have 8.",
        "The signals ask for 8 (Kubernetes' rule; it was 4).",
        "Decision: raise from 4 to 8.",
    )
    assert steps_of(decision, 0) == steps_of(decision, 2) == ()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(60, 0)] * 3, "Starts take 60 s on a free node; the plan looks 60 s ahead.", id="free-nodes"),
        pytest.param(
            [(60, 0)] * 9 + [(240, 1)] * 3,
            "Starts take 60 s on a free node, 4 min when a node must come; the plan looks 4 min ahead.",
            id="both",
        ),
        pytest.param([(90, UNKNOWN)] * 3, "Starts take 90 s; the plan looks 90 s ahead.", id="nobody-says-what-for"),
        pytest.param(
            [(60, 0, 8)] * 8 + [(60, 0)] * 2,
            "Starts take 60 s on a free node, 60 s when 5 or more start at once; the plan looks 60 s ahead.",
            id="many-at-once",
        ),
    ],
)
def test_what_starts_take(rows: list[tuple[int, ...]], expected: str) -> None:
    assert startup_sentences(*rows) == [expected]


def test_a_wait_for_a_node_is_told() -> None:
    assert startup_sentences((30, 1), finished=False) == [
        "No start was seen yet; the plan looks 5 min ahead, because pods wait for a node or did just now."
    ]


def startup_sentences(*rows: tuple[int, ...], finished: bool = True) -> list[str]:
    """What is said of a lane after these start-ups: seconds, whether they waited for a node, and how many at once."""
    count, fleet = len(rows), one()
    seconds, waited, *_ = zip(*rows, strict=False)
    together = np.array([row[2] if len(row) > 2 else 1 for row in rows])
    starts = Starts(
        integers(count), np.array(seconds, float), booleans(count, finished), np.array(waited, np.int8), together
    )
    observation = seen([2], readings([14]), starts=starts)
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)
    return [each for each in sentences(fleet, observation, decision, 0) if "plan looks" in each]


def test_a_late_signal_is_told_in_per_cent() -> None:
    fleet = one(demand(), late())
    observation = seen([10], readings([70, 2.5], age_s=12))
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert sentences(fleet, observation, decision, 0)[:2] == (
        OK,
        "Signal slow says that 0.25 % of the requests are late, 12 s old (fresh).",
    )


def test_every_rule_and_every_reason_has_its_words() -> None:
    assert set(RULE_SENTENCES) == set(RULES) - {"steady"}
    assert set(WHY_WORDS) == set(Why)

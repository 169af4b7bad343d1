"""What is said of a document that cannot be used: every problem, where it stands, and how to mend it."""

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.spec import PolicyError, policy_from
from tests.policies.test_spec import SMALLEST, document

DEMAND = {"name": "rps", "kind": "demand", "query": "up", "capacityPerReplica": 1}
PRESSURE = {"name": "queue", "kind": "pressure", "query": "up", "target": {"value": 1}}


def demand(**fields: object) -> dict[str, Any]:
    return document(signals=[DEMAND | fields])


def pressure(**fields: object) -> dict[str, Any]:
    return document(signals=[PRESSURE | fields])


def schedule(**fields: object) -> dict[str, Any]:
    one = {"cron": "0 8 * * *", "duration": "8h", "min": 3} | fields
    return document(replicas={"min": 2, "max": 10, "schedules": [one]})


def metadata(**fields: object) -> dict[str, Any]:
    return SMALLEST | {"metadata": {"name": "web"} | fields}


def problems(made: object) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        policy_from(made, source="web.yaml")
    return [line.removeprefix("web.yaml: ") for line in str(refused.value).splitlines()]


def refusal(made: object) -> PolicyError | None:
    try:
        policy_from(made, source="")
    except PolicyError as error:
        return error
    return None


QUOTE_IT = "(YAML reads it so when it is not in quotes: quote it)"
NO_QUANTITY = "must be a number or a Kubernetes quantity such as 40, 250m or 4Gi"
NO_DURATION = "must be a duration such as 8h, 90m, 1h30m or 7d (units d, h, m, s in this order)"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            document(replicas={"min": 5, "max": 2}),
            "spec.replicas: min (5) is above max (2); lower min or raise max",
            id="min-above-max",
        ),
        pytest.param(
            document(replicas={"min": 0, "max": 2}), "spec.replicas.min: must be at least 1, not 0", id="min-below-one"
        ),
        pytest.param(
            document(replicas={"max": 2**31}),
            "spec.replicas.max: must be at most 2147483647, not 2147483648",
            id="max-beyond-int32",
        ),
        pytest.param(
            document(replicas={"max": "5"}), "spec.replicas.max: must be a whole number, not '5'", id="number-as-text"
        ),
        pytest.param(
            document(replicas={"max": 2.5}), "spec.replicas.max: must be a whole number, not 2.5", id="half-a-replica"
        ),
        pytest.param(
            document(replicas={"max": True}),
            "spec.replicas.max: must be a whole number, not true",
            id="a-yaml-boolean-is-no-number",
        ),
        pytest.param(
            schedule(min=11),
            "spec.replicas.schedules[0]: min (11) is above spec.replicas.max (10) while it is active;"
            " lower min or add a max",
            id="a-schedule's-min-above-the-policy's-max",
        ),
        pytest.param(
            schedule(min=None, max=1),
            "spec.replicas.schedules[0]: max (1) is below spec.replicas.min (2) while it is active;"
            " raise max or add a min",
            id="a-schedule's-max-below-the-policy's-min",
        ),
        pytest.param(
            schedule(min=20, max=15),
            "spec.replicas.schedules[0]: min (20) is above max (15); lower min or raise max",
            id="a-schedule's-min-above-its-max",
        ),
        pytest.param(
            schedule(min=None), "spec.replicas.schedules[0]: must have min or max, or both", id="a-schedule-of-nothing"
        ),
        pytest.param(
            schedule(cron="0 8 * *"),
            "spec.replicas.schedules[0].cron: must have 5 fields (minute, hour, day of month, month, day of week),"
            " not 4 as in '0 8 * *'",
            id="cron-with-four-fields",
        ),
        pytest.param(
            schedule(cron="0 8 * * MON-FRY"),
            "spec.replicas.schedules[0].cron: has a day of week ('MON-FRY') that cannot be read or never comes,"
            " in '0 8 * * MON-FRY'",
            id="cron-with-a-misspelt-day",
        ),
        pytest.param(
            schedule(cron="0 8 31 2 *"),
            "spec.replicas.schedules[0].cron: has a day of month ('31') that cannot be read or never comes,"
            " in '0 8 31 2 *'",
            id="cron-of-a-day-that-never-comes",
        ),
        pytest.param(
            schedule(timezone="Europe/berlin"),
            "spec.replicas.schedules[0].timezone: must be an IANA time zone such as Europe/Berlin, not 'Europe/berlin'"
            " (did you mean Europe/Berlin?)",
            id="zone-in-lower-case",
        ),
        pytest.param(
            schedule(timezone="../etc/passwd"),
            "spec.replicas.schedules[0].timezone: must be an IANA time zone such as Europe/Berlin, not '../etc/passwd'",
            id="zone-that-leaves-its-folder",
        ),
        pytest.param(
            schedule(duration=28_800),
            f"spec.replicas.schedules[0].duration: {NO_DURATION}, not 28800",
            id="duration-without-a-unit",
        ),
        pytest.param(
            schedule(duration="8d"),
            "spec.replicas.schedules[0].duration: must be from 1s to 7d, not 8d",
            id="duration-over-a-week",
        ),
        pytest.param(document(signals=[]), "spec.signals: must have at least one entry", id="no-signal"),
        pytest.param(
            document(signals=[DEMAND, PRESSURE | {"name": "rps"}]),
            "spec.signals[1].name: 'rps' is already the name of signals[0]; give each its own",
            id="one-name-for-two-signals",
        ),
        pytest.param(
            demand(kind="demnd"),
            "spec.signals[0].kind: must be demand, pressure or late, not 'demnd' (did you mean demand?)",
            id="misspelt-kind",
        ),
        pytest.param(
            document(signals=[{"name": "a"}]),
            "spec.signals[0].kind: is required: demand, pressure or late",
            id="no-kind",
        ),
        pytest.param(
            demand(capacityPerReplica=None),
            "spec.signals[0]: must have exactly one of capacityPerReplica and capacityFromRequest, not none",
            id="demand-without-capacity",
        ),
        pytest.param(
            demand(capacityFromRequest={"resource": "cpu"}),
            "spec.signals[0]: must have exactly one of capacityPerReplica and capacityFromRequest, not both",
            id="demand-with-two-capacities",
        ),
        pytest.param(
            demand(capacityPerReplica=0), "spec.signals[0].capacityPerReplica: must be above 0, not 0", id="no-capacity"
        ),
        pytest.param(
            demand(capacityPerReplica="900u"),
            "spec.signals[0].capacityPerReplica: must be at least 1m (0.001); measure in a smaller unit, not '900u'",
            id="capacity-finer-than-kubernetes-compares",
        ),
        pytest.param(
            demand(capacityPerReplica=-1),
            "spec.signals[0].capacityPerReplica: must not be below 0, not -1",
            id="negative-capacity",
        ),
        pytest.param(
            demand(capacityPerReplica="9223372036854775808m"),
            "spec.signals[0].capacityPerReplica: is too large: '9223372036854775808m' is above 2^63 - 1 thousandths"
            " (about 9.2E)",
            id="capacity-beyond-int64",
        ),
        pytest.param(
            demand(capacityPerReplica="40 rps"),
            f"spec.signals[0].capacityPerReplica: {NO_QUANTITY}, not '40 rps'",
            id="capacity-with-a-unit",
        ),
        pytest.param(
            demand(capacityPerReplica=float("nan")),
            f"spec.signals[0].capacityPerReplica: {NO_QUANTITY}, not nan",
            id="capacity-that-is-no-number",
        ),
        pytest.param(
            demand(capacityPerReplica=True),
            f"spec.signals[0].capacityPerReplica: {NO_QUANTITY}, not true",
            id="capacity-from-a-yaml-boolean",
        ),
        pytest.param(demand(query="  "), "spec.signals[0].query: must not be empty", id="blank-query"),
        pytest.param(
            demand(query="rate(x[$__rate_interval])"),
            "spec.signals[0].query: has the variable $__rate_interval; there are only $namespace and $name",
            id="a-variable-of-a-dashboard",
        ),
        pytest.param(
            demand(match={"ns": "$ns"}),
            "spec.signals[0].match.ns: has the variable $ns; there are only $namespace and $name",
            id="an-unknown-variable-in-match",
        ),
        pytest.param(
            demand(match={"version": 1.1}),
            f"spec.signals[0].match.version: must be text, not 1.1 {QUOTE_IT}",
            id="a-number-for-a-label",
        ),
        pytest.param(
            pressure(target={"value": 1, "averageValue": 1}),
            "spec.signals[0].target: must have exactly one of averageValue and value, not both",
            id="pressure-with-two-targets",
        ),
        pytest.param(
            pressure(perPod=True),
            "spec.signals[0].perPod: needs target.averageValue: readings per pod are compared with a target per"
            " replica",
            id="per-pod-with-a-total",
        ),
        pytest.param(
            pressure(capacityPerReplica=3),
            "spec.signals[0].capacityPerReplica: is not a field here;"
            " the fields are kind, name, query, preset, match, target, perPod",
            id="capacity-of-a-pressure-signal",
        ),
        pytest.param(
            document(objective={"late": 5}),
            "spec.objective.late: must be above 0 and at most 0.5 (50%), not 5",
            id="per-cent-without-its-sign",
        ),
        pytest.param(
            document(objective={"late": "one"}),
            "spec.objective.late: must be a share such as 0.01 or \"1%\", or the word incumbent, not 'one'",
            id="share-in-words",
        ),
        pytest.param(
            document(objective={"servingLimit": 0}),
            "spec.objective.servingLimit: must be above 0 and at most 1 (100%), not 0",
            id="serving-limit-of-nothing",
        ),
        pytest.param(
            document(behavior={"scaleUp": {"stabilizationWindowSeconds": 3601}}),
            "spec.behavior.scaleUp.stabilizationWindowSeconds: must be at most 3600, not 3601",
            id="window-over-an-hour",
        ),
        pytest.param(
            document(behavior={"scaleDown": {"policies": []}}),
            "spec.behavior.scaleDown.policies: must have at least one entry",
            id="behaviour-without-policies",
        ),
        pytest.param(
            document(behavior={"scaleDown": {"policies": [{"type": "Pod", "value": 1, "periodSeconds": 60}]}}),
            "spec.behavior.scaleDown.policies[0].type: must be Pods or Percent, not 'Pod' (did you mean Pods?)",
            id="misspelt-policy-type",
        ),
        pytest.param(
            document(behaviour={}),
            "spec.behaviour: is not a field here (did you mean behavior?)",
            id="the-other-spelling",
        ),
        pytest.param(
            document(forecast={"history": "36d"}),
            "spec.forecast.history: must be from 1d to 35d, not 36d",
            id="history-too-long",
        ),
        pytest.param(
            document(forecast=None), "spec.forecast: must be a mapping of fields, not empty", id="an-empty-mapping"
        ),
        pytest.param(
            document(forecast={"enabled": "no"}),
            "spec.forecast.enabled: must be true or false, not 'no'",
            id="a-quoted-no",
        ),
        pytest.param(
            document(mode="activ"),
            "spec.mode: must be shadow, floor, active or paused, not 'activ' (did you mean active?)",
            id="misspelt-mode",
        ),
        pytest.param(
            metadata(name=True), f"metadata.name: must be text, not true {QUOTE_IT}", id="a-name-of-yes-unquoted"
        ),
        pytest.param(
            metadata(name="Web"),
            "metadata.name: must be a DNS name of a-z, 0-9, - and ., such as chat-model, not 'Web'",
            id="a-name-in-capitals",
        ),
        pytest.param(metadata(name="a" * 254), "metadata.name: is over 253 characters", id="a-name-too-long"),
        pytest.param(
            metadata(nmae="x"), "metadata.nmae: is not a field here (did you mean name?)", id="misspelt-field"
        ),
        pytest.param(
            metadata(labels={1: "x"}),
            f"metadata.labels[1]: must be text, not 1 {QUOTE_IT}",
            id="a-label-whose-name-is-a-number",
        ),
        pytest.param(
            SMALLEST | {"apiVersion": "foresail.dev/v1"},
            "apiVersion: must be foresail.dev/v1alpha1, not 'foresail.dev/v1' (did you mean foresail.dev/v1alpha1?)",
            id="another-version",
        ),
        pytest.param(["web"], "must be a mapping of fields, not a list", id="a-list-for-a-document"),
    ],
)
def test_one_fault_is_one_problem_in_plain_words(made: object, message: str) -> None:
    assert problems(made) == [message]


def test_fields_in_conflict_are_told_beside_fields_that_cannot_be_read() -> None:
    made = document(
        mode="on",
        replicas={"min": 5, "max": 2, "schedules": [{"cron": "x", "duration": "8h"}]},
        signals=[
            {"name": "a", "kind": "demand", "query": ""},
            {"name": "a", "kind": "pressure", "query": "q", "target": {"value": "x"}, "perPod": True},
        ],
    )
    made["metadata"] = None
    assert [problem.partition(": ")[0] for problem in problems(made)] == [
        "metadata",
        "spec.mode",
        "spec.replicas.schedules[0].cron",
        "spec.replicas",
        "spec.replicas.schedules[0]",
        "spec.signals[0].query",
        "spec.signals[0]",
        "spec.signals[1].target.value",
        "spec.signals[1].perPod",
        "spec.signals[1].name",
    ]


def test_a_refusal_can_be_read_by_programs() -> None:
    with pytest.raises(PolicyError) as refused:
        policy_from(document(mode="on"), source="web.yaml")
    (problem,) = refused.value.problems
    assert (problem.source, problem.path) == ("web.yaml", "spec.mode")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(SMALLEST["spec"])), value=anything)
def test_whatever_stands_in_a_field_the_answer_is_a_policy_or_its_problems(key: str, value: object) -> None:
    made = copy.deepcopy(SMALLEST)
    made["spec"][key] = value
    found = refusal(made)
    assert found is None or found.problems


@given(cron=st.text("0123456789*/-,#LWMONFRI ", min_size=9, max_size=14))
@example(cron="* * * * 5L/2")
@example(cron="* * L/2 * *")
@example(cron="* * * * 1#1/2")
@example(cron="*/61 * * * *")
@example(cron="* * LW,L/2 * *")
def test_whatever_stands_in_a_cron_expression_the_answer_is_a_policy_or_its_problems(cron: str) -> None:
    found = refusal(schedule(cron=cron))
    assert found is None or [problem.path for problem in found.problems] == ["spec.replicas.schedules[0].cron"]

"""WorkloadPolicy: what is accepted and what it means; the wording of refusals stands in test_spec_problems."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.behavior import Behavior, ScaleDown, ScaleUp, ScalingPolicy
from policies.documents import documents_from
from policies.quantities import (
    LARGEST_MILLI,
    duration_text,
    milli,
    parse_duration_s,
    parse_quantity,
    parse_share,
    quantity_text,
)
from policies.spec import (
    BoundQuery,
    DemandSignal,
    LateSignal,
    PolicyError,
    PressureSignal,
    Replicas,
    WorkloadPolicy,
    duplicates,
    policy_from,
)

SMALLEST: dict[str, Any] = {
    "apiVersion": "foresail.dev/v1alpha1",
    "kind": "WorkloadPolicy",
    "metadata": {"name": "web"},
    "spec": {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "replicas": {"max": 10},
        "signals": [{"name": "rps", "kind": "demand", "query": "sum(rate(r[1m]))", "capacityPerReplica": 40}],
    },
}


def document(**spec: object) -> dict[str, Any]:
    made = copy.deepcopy(SMALLEST)
    made["spec"].update(spec)
    return made


def named(name: str, *, target: str, namespace: str = "default", api_version: str = "apps/v1") -> WorkloadPolicy:
    made = document(target={"apiVersion": api_version, "kind": "Deployment", "name": target})
    made["metadata"] = {"name": name, "namespace": namespace}
    return policy_from(made, source="")


def parsed(made: object) -> WorkloadPolicy:
    return policy_from(made, source="web.yaml")


def test_the_smallest_policy_has_the_documented_defaults() -> None:
    policy = parsed(SMALLEST)
    spec = policy.spec
    assert policy.uid == "default/web"
    assert (spec.mode, spec.replicas.min, spec.replicas.max, spec.replicas.schedules) == ("shadow", 1, 10, ())
    assert (spec.objective.late, spec.objective.serving_limit) == (0.01, 0.8)
    assert (spec.objective.slo, spec.objective.prices, spec.objective.churn, spec.incumbent) == (None, None, 30.0, None)
    assert (spec.forecast.enabled, spec.forecast.history) == (True, 1_209_600.0)  # 14 x 86 400
    assert spec.behavior is None
    assert not spec.scale_up_is_written
    assert not spec.scale_down_is_written


def test_behaviour_that_is_not_written_is_that_of_autoscaling_v2() -> None:
    spec = parsed(SMALLEST).spec
    pods, double = (
        ScalingPolicy(type="Pods", value=4, period_seconds=15),
        ScalingPolicy(type="Percent", value=100, period_seconds=15),
    )
    assert spec.scale_up == ScaleUp(
        stabilization_window_seconds=0, policies=(pods, double), select_policy="Max", tolerance=Decimal("0.1")
    )
    assert spec.scale_down == ScaleDown(
        stabilization_window_seconds=300, policies=(double,), select_policy="Max", tolerance=Decimal("0.1")
    )


def test_a_field_of_one_direction_leaves_the_other_fields_and_the_other_direction_at_their_defaults() -> None:
    spec = parsed(document(behavior={"scaleDown": {"selectPolicy": "Min", "tolerance": "50m"}})).spec
    assert spec.scale_down_is_written
    assert not spec.scale_up_is_written
    assert spec.scale_down.select_policy == "Min"
    assert spec.scale_down.tolerance == Decimal("0.05")
    assert spec.scale_down.stabilization_window_seconds == 300
    assert spec.scale_up == ScaleUp()


def test_an_empty_direction_counts_as_written() -> None:
    spec = parsed(document(behavior={"scaleUp": {}})).spec
    assert spec.behavior == Behavior(scale_up=ScaleUp())
    assert spec.scale_up_is_written


def test_what_an_api_server_adds_is_accepted_and_dropped() -> None:
    made = document()
    made["metadata"] |= {"uid": "1", "resourceVersion": "7", "generation": 2, "creationTimestamp": "t"}
    made["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "finalizers": []}
    made["status"] = {"replicas": 3}
    assert parsed(made) == parsed(SMALLEST)


def test_policies_cannot_be_changed() -> None:
    policy = parsed(SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        policy.spec.mode = "active"  # type: ignore[misc]  # the point of the test


def test_python_names_work_in_python_and_not_in_documents() -> None:
    signal = DemandSignal(kind="demand", name="rps", query="up", capacity_per_replica=Decimal(40))
    assert signal.capacity_per_replica_milli == 40_000
    with pytest.raises(PolicyError, match="did you mean capacityPerReplica"):
        parsed(document(signals=[{"name": "a", "kind": "demand", "query": "up", "capacity_per_replica": 40}]))


def test_fields_in_conflict_are_refused_in_python_too() -> None:
    with pytest.raises(ValueError, match=r"min \(5\) is above max \(2\)"):
        Replicas(min=5, max=2)


def test_variables_are_filled_in_by_whole_words_only() -> None:
    made = document(
        target={"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
        signals=[
            {
                "name": "rps",
                "kind": "demand",
                "query": 'sum by (ns) (rate(r{ns="$namespace", app=~"$name-.*|x$"}[1m]))',
                "match": {"workload": "$name", "ns": "$namespace"},
                "capacityPerReplica": 1,
            }
        ],
    )
    made["metadata"]["namespace"] = "shop"
    expected = BoundQuery(
        signal="rps",
        query='sum by (ns) (rate(r{ns="shop", app=~"chat-.*|x$"}[1m]))',
        match=(("ns", "shop"), ("workload", "chat")),
    )
    assert parsed(made).queries() == (expected,)


def test_signals_of_both_kinds_keep_their_own_fields() -> None:
    spec = parsed(
        document(
            signals=[
                {"name": "cpu", "kind": "demand", "query": "u", "capacityFromRequest": {"resource": "cpu"}},
                {"name": "queue", "kind": "pressure", "query": "q", "target": {"averageValue": "1.5"}, "perPod": True},
                {"name": "wait", "kind": "pressure", "query": "w", "target": {"value": "250m"}},
            ]
        )
    ).spec
    cpu, queue, wait = spec.signals
    assert isinstance(cpu, DemandSignal)
    assert cpu.capacity_from_request is not None
    assert (cpu.capacity_from_request.resource, cpu.capacity_from_request.container) == ("cpu", None)
    assert cpu.capacity_per_replica_milli is None
    assert isinstance(queue, PressureSignal)
    assert (queue.target.milli, queue.per_pod) == (1500, True)
    assert isinstance(wait, PressureSignal)
    assert (wait.target.milli, wait.target.average_value, wait.per_pod) == (250, None, False)


def test_a_late_signal_has_a_query_and_nothing_else() -> None:
    made = document(signals=[*SMALLEST["spec"]["signals"], {"name": "slow", "kind": "late", "query": "q{n='$name'}"}])
    policy = parsed(made)

    assert isinstance(policy.spec.signals[1], LateSignal)
    assert policy.queries()[1] == BoundQuery(signal="slow", query="q{n='web'}", match=())
    assert parsed(policy.document()) == policy


@pytest.mark.parametrize(
    ("text", "expected", "expected_milli"),
    [
        pytest.param(40, "40", 40_000, id="a-whole-number"),
        pytest.param(0.1, "0.1", 100, id="a-decimal-is-the-one-that-was-written"),
        pytest.param("250m", "0.250", 250, id="thousandths"),
        pytest.param("1500u", "0.0015", 2, id="finer-than-a-thousandth-rounds-up-in-milli-only"),
        pytest.param("4Gi", "4294967296", 4_294_967_296_000, id="binary-suffix"),
        pytest.param("2k", "2000", 2_000_000, id="decimal-suffix"),
        pytest.param("1e3", "1000", 1_000_000, id="exponent"),
        pytest.param("1E", "1000000000000000000", None, id="E-alone-is-exa-and-too-large-for-milli"),
        pytest.param("+.5", "0.5", 500, id="no-digit-before-the-point"),
        pytest.param("5.", "5", 5_000, id="no-digit-after-the-point"),
        pytest.param("9223372036854775807m", "9223372036854775.807", LARGEST_MILLI, id="the-largest-there-is"),
    ],
)
def test_quantities_are_exact(text: object, expected: str, expected_milli: int | None) -> None:
    if expected_milli is None:
        with pytest.raises(ValueError, match="is too large"):
            parse_quantity(text)
    else:
        value = parse_quantity(text)
        assert (value, milli(value)) == (Decimal(expected), expected_milli)


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        pytest.param("8h", 28_800.0, id="hours"),
        pytest.param("90m", 5_400.0, id="minutes-beyond-an-hour"),
        pytest.param("1h30m", 5_400.0, id="two-units"),
        pytest.param("1.5h", 5_400.0, id="a-decimal"),
        pytest.param("7d", 604_800.0, id="days"),
        pytest.param("1d2h3m4s", 93_784.0, id="all-units"),  # 86 400 + 7 200 + 180 + 4
    ],
)
def test_durations_are_seconds(text: str, expected_s: float) -> None:
    assert parse_duration_s(text) == expected_s


@pytest.mark.parametrize(
    "text",
    ["", "8", "h", "1h1h", "30m1h", "-1h", "1.h", ".h", "1..5h", "1h ago", "0.1s", "1w", 8, True, None, "9" * 99],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration_s(text)


@pytest.mark.parametrize(("given_share", "expected"), [("1%", 0.01), ("0.5 %", 0.005), (0.01, 0.01), (1, 1.0)])
def test_shares_are_numbers_or_per_cent(given_share: object, expected: float) -> None:
    assert parse_share(given_share) == expected


def test_the_bounds_of_overlapping_schedules_may_differ() -> None:
    schedules = [{"cron": "0 8 * * *", "duration": "8h", "min": 4}, {"cron": "0 0 1 * *", "duration": "1d", "max": 50}]
    replicas = parsed(document(replicas={"min": 2, "max": 10, "schedules": schedules})).spec.replicas
    assert [(s.min, s.max, s.duration, s.timezone) for s in replicas.schedules] == [
        (4, None, 28_800.0, "UTC"),
        (None, 50, 86_400.0, "UTC"),
    ]


def test_empty_documents_are_skipped() -> None:
    found = documents_from([None, SMALLEST, None], source="a.yaml")
    assert [policy.uid for policy in found.policies] == ["default/web"]


def test_problems_of_all_documents_are_told() -> None:
    with pytest.raises(PolicyError) as refused:
        documents_from([document(mode="on"), None, document(replicas={})], source="a.yaml")
    assert str(refused.value).splitlines() == [
        "a.yaml (document 1): spec.mode: must be shadow, floor, active or paused, not 'on'",
        "a.yaml (document 3): spec.replicas.max: is required",
    ]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param(
            named("web", target="api"),
            "b.yaml: metadata.name: default/web is already in a.yaml; rename or remove one",
            id="one-name-twice",
        ),
        pytest.param(
            named("other", target="web", api_version="apps/v1beta1"),
            "b.yaml: spec.target: Deployment web is already scaled by default/web in a.yaml; remove one",
            id="one-object-under-two-versions-of-its-api",
        ),
        pytest.param(named("web", target="web", namespace="shop"), None, id="another-namespace-is-another-object"),
        pytest.param(
            named("other", target="web", api_version="extra.dev/v1"), None, id="another-group-is-another-object"
        ),
    ],
)
def test_duplicates_are_told_with_both_places(second: WorkloadPolicy, message: str | None) -> None:
    found = duplicates([named("web", target="web"), second], sources=["a.yaml", "b.yaml"])
    assert [str(problem) for problem in found] == ([message] if message else [])


@given(value=st.decimals(min_value=0, max_value=10**15, places=6))
def test_quantities_survive_writing(value: Decimal) -> None:
    assert parse_quantity(quantity_text(value)) == value


@given(duration_s=st.integers(0, 40 * 86_400))
def test_durations_survive_writing(duration_s: int) -> None:
    assert parse_duration_s(duration_text(duration_s)) == duration_s

"""Kubernetes' HorizontalPodAutoscaler, by vectors that pass through `decide` or the functions it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.arrays import booleans, integers
from policies.candidates import Able, Scaling
from policies.engine import decide, remembered
from policies.hpa import behavior as hpa
from policies.hpa.metrics import Fault, propose
from policies.hpa.pods import Container, Group, pod_groups, pod_request
from policies.model import UNKNOWN, Applied, Limits, PodSamples
from policies.state import EngineState
from tests.conformance.cases import cases
from tests.conformance.lanes import (
    NOW_S,
    behavior_of,
    fleet_of_vector,
    log_of,
    observation_of,
    pods_of,
)

if TYPE_CHECKING:
    from enum import IntEnum

    from policies.log import Log
    from tests.conformance.cases import Vector

FAULTS = {
    "no_samples": Fault.NO_SAMPLES,
    "no_matching_pod": Fault.NO_MATCHING_POD,
    "missing_request": Fault.MISSING_REQUEST,
}


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def reason(codes: type[IntEnum], code: int) -> str | None:
    """The condition's reason as the API writes it; None = not set."""
    name = "NOT_SET" if code == UNKNOWN else codes(code).name
    return None if name == "NOT_SET" else camel(name)


@cases("hpa_replicas")
def test_one_metric_proposes(vector: Vector) -> None:
    fleet = fleet_of_vector({**vector, "min_replicas": 0})
    seen, expected = observation_of(vector), vector["expected"]
    _, decision = decide(fleet, EngineState.fresh(fleet), seen)
    tracks = propose(fleet, seen)
    if expected.get("error"):
        assert decision.proposed[0] == UNKNOWN
        assert tracks.fault[0] == FAULTS[expected["error_kind"]]
        return
    assert decision.proposed[0] == expected["replicas"]
    percent = expected["utilization_percent"]
    assert decision.conditions.utilization_percent[0] == (UNKNOWN if percent is None else percent)
    assert tracks.raw_milli[0] == expected["raw_value_milli"]


@cases("hpa_pod_groups")
def test_pods_are_grouped(vector: Vector) -> None:
    fleet = fleet_of_vector(
        {**vector, "metric_type": "Resource", "target": {}, "orphan_samples_milli": [], "metric_values_milli": None}
    )
    seen = {**vector, "metric_type": "Resource", "target": {}, "orphan_samples_milli": [], "metric_values_milli": None}
    samples = observation_of({**seen, "spec_replicas": 1, "status_replicas": 1}).samples
    group = pod_groups(fleet.tracks, pods_of(vector), samples, fleet.limits)
    expected = vector["expected"]
    assert np.count_nonzero(group == Group.READY) == expected["ready_count"]
    for name, code in (("unready", Group.UNREADY), ("missing", Group.MISSING), ("ignored", Group.IGNORED)):
        assert np.flatnonzero(group == code).tolist() == sorted(expected[name]), name


@cases("hpa_requests")
def test_the_request_of_a_pod(vector: Vector) -> None:
    def containers(name: str) -> list[Container]:
        return [Container(c["name"], c["request_milli"], c.get("restart_always", False)) for c in vector[name]]

    honoured = vector["pod_level_request_milli"] if vector["pod_level_requests_enabled"] else None

    def request() -> int:
        return pod_request(
            containers("containers"),
            containers("init_containers"),
            pod_level_milli=honoured,
            only=vector["metric_container"],
        )

    if vector["expected"].get("error"):
        with pytest.raises(KeyError):
            request()
    else:
        assert request() == vector["expected"]["request_milli"]


@cases("hpa_behavior")
def test_behavior(vector: Vector) -> None:
    check = {
        "limits_without_behavior": check_limits,
        "rate_with_behavior": check_limits,
        "stabilize_without_behavior": check_stabilized,
        "stabilize_with_behavior": check_stabilized,
        "up_limit": check_limit,
        "down_limit": check_limit,
        "store_event": check_stored,
    }[vector["kind"]]
    check(vector)


def moves_of(vector: Vector) -> hpa.Moves:
    return hpa.Moves(log_of(vector["scale_up_events"], "change"), log_of(vector["scale_down_events"], "change"))


def check_limits(vector: Vector) -> None:
    current, desired = integers(1, vector["current_replicas"]), integers(1, vector["proposed_replicas"])
    bounds = hpa.Bounds(integers(1, vector["min_replicas"]), integers(1, vector["max_replicas"]))
    moment = hpa.Moment(behavior_of(vector), Limits(), NOW_S, current)
    count, code = hpa.limited(moment, moves_of(vector), desired, bounds)
    assert (count[0], reason(hpa.Limited, code[0])) == (
        vector["expected"]["replicas"],
        vector["expected"]["limited_reason"],
    )


def check_limit(vector: Vector) -> None:
    current = integers(1, vector["current_replicas"])
    low, high = hpa.raw_rate_limits(hpa.Moment(behavior_of(vector), Limits(), NOW_S, current), moves_of(vector))
    limit = high if vector["kind"] == "up_limit" else low
    assert limit[0] == vector["expected"]["limit"]


def check_stabilized(vector: Vector) -> None:
    fleet = fleet_of_vector({**vector, "metrics": []})
    desired = integers(1, vector["proposed_replicas"])
    current = integers(1, vector["current_replicas"] or vector["proposed_replicas"])
    log = log_of(vector["recommendations"], "replicas")
    stable = hpa.stabilized(hpa.Moment(fleet.behavior, fleet.limits, NOW_S, current), log, desired)
    kept = log.noted(NOW_S, desired, booleans(1, value=True), hpa.log_window(fleet.behavior, fleet.limits))
    expected = vector["expected"]
    assert stable[0] == expected["replicas"]
    if "log_length" in expected:
        assert kept.used[0] == expected["log_length"]
    if "recommendation_log" in expected:
        assert kept.value[0, : kept.used[0]].tolist() == expected["recommendation_log"]


def check_stored(vector: Vector) -> None:
    fleet = fleet_of_vector({**vector, "metrics": []})
    before, after = vector["current_replicas"], vector["proposed_replicas"]
    state = replace(EngineState.fresh(fleet), rises=moves_of(vector).rises, falls=moves_of(vector).falls)
    applied = Applied(integers(1), np.array([NOW_S]), integers(1, before), integers(1, after))
    empty = {**vector, "metrics": [], "pods": [], "spec_replicas": before, "status_replicas": before}
    stored = remembered(state, fleet, replace(observation_of(empty), applied=applied, samples=PodSamples.none()))
    old, new = (state.rises, stored.rises) if after > before else (state.falls, stored.falls)
    expected = vector["expected"]
    assert old.sum_since(NOW_S, integers(1), np.array([60.0]))[0] == expected["change_in_60s_before"]
    assert entries(new, longest_period(vector)) == expected["events_after"]


def longest_period(vector: Vector) -> float:
    written = vector["behavior"] or {}
    direction = written.get("scale_up" if vector["proposed_replicas"] > vector["current_replicas"] else "scale_down")
    return max((policy["period_s"] for policy in (direction or {}).get("policies", ())), default=0.0)


def entries(log: Log, period_s: float) -> list[Vector]:
    used = int(log.used[0])
    return [
        {"change": int(change), "outdated": bool(at_s < NOW_S - period_s)}
        for at_s, change in zip(log.at_s[0, :used], log.value[0, :used], strict=True)
    ]


@cases("hpa_reconcile")
def test_one_whole_decision(vector: Vector) -> None:
    fleet, seen, expected = fleet_of_vector(vector), observation_of(vector), vector["expected"]
    state = replace(
        EngineState.fresh(fleet),
        seen=booleans(1, value=True),
        zeroed=booleans(1, value=vector["scaled_to_zero_before"]),
        advice=log_of(vector["recommendations"], "replicas"),
        rises=moves_of(vector).rises,
        falls=moves_of(vector).falls,
    )
    _, decision = decide(fleet, state, seen)
    conditions = decision.conditions
    assert decision.replicas.target[0] == expected["replicas"]
    assert {
        "able_to_scale": reason(Able, conditions.able_to_scale[0]),
        "scaling_active": reason(Scaling, conditions.scaling_active[0]),
        "scaling_limited": reason(hpa.Limited, conditions.scaling_limited[0]),
    } == expected["reasons"]
    if "utilization_percent" in expected:
        assert conditions.utilization_percent[0] == expected["utilization_percent"]

"""How a vector becomes a fleet of one lane and an observation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, floats, integers, small
from policies.behaviors import Behavior, Direction, Rates
from policies.codes import Select
from policies.log import Log
from policies.model import (
    UNKNOWN,
    Applied,
    Fleet,
    Kind,
    Limits,
    Mode,
    Observation,
    Phase,
    Pods,
    PodSamples,
    Readings,
    Source,
    Starts,
    Status,
    TargetKind,
    Tracks,
    Why,
)
from policies.schedules import schedule_table

if TYPE_CHECKING:
    from tests.conformance.cases import Vector

NOW_S = 1_000_000.0
INT64_MAX = 2**63 - 1
_TARGETS = {
    "utilization_percent": TargetKind.UTILIZATION,
    "average_value_milli": TargetKind.AVERAGE_VALUE,
    "value_milli": TargetKind.VALUE,
}
_SOURCES = {
    "Resource": Source.RESOURCE,
    "ContainerResource": Source.CONTAINER_RESOURCE,
    "Pods": Source.PODS,
    "Object": Source.OBJECT,
    "ObjectPerPod": Source.OBJECT,
    "External": Source.EXTERNAL,
    "ExternalPerPod": Source.EXTERNAL,
}
_PHASES = {"Pending": Phase.PENDING, "Running": Phase.RUNNING, "Succeeded": Phase.SUCCEEDED, "Failed": Phase.FAILED}


def metrics_of(vector: Vector) -> list[Vector]:
    """The metrics of a vector of several, or the one metric of a vector of one."""
    if "metrics" in vector:
        return list(vector["metrics"])
    samples = [pod["usage_milli"] for pod in vector["pods"]]
    return [{**vector, "pod_samples_milli": samples, "source_error": False}]


def fleet_of_vector(vector: Vector) -> Fleet:
    """A fleet of one active lane whose tracks are the vector's metrics."""
    metrics = metrics_of(vector)
    targets = [next(iter(metric["target"].items()), ("", 0)) for metric in metrics]
    count = len(metrics)
    return Fleet(
        uid=("ns/vector",),
        mode=small(1, Mode.ACTIVE),
        min_replicas=integers(1, vector.get("min_replicas") or 0),
        max_replicas=integers(1, vector.get("max_replicas") or 2**31 - 1),
        late_ratio=floats(1, 0.01),
        serving_limit_ratio=floats(1, 0.8),
        forecast=booleans(1),
        history_s=floats(1, 86400.0),
        behavior=behavior_of(vector),
        schedules=schedule_table([]),
        tracks=Tracks(
            uid=tuple(f"ns/vector/{index}" for index in range(count)),
            lane=integers(count),
            kind=small(count, Kind.PRESSURE),
            source=np.array([_SOURCES.get(metric["metric_type"], Source.UNKNOWN) for metric in metrics], np.int8),
            target_kind=np.array([_TARGETS.get(kind, TargetKind.NONE) for kind, _ in targets], np.int8),
            target_milli=np.array([value for _, value in targets], np.int64),
            capacity_milli=integers(count, UNKNOWN),
            cpu=np.array([metric["resource"] == "cpu" for metric in metrics], np.bool_),
        ),
        limits=Limits(
            removal_ratio=1.0,
            cautious=False,
            cpu_initialization_period_s=vector.get("cpu_initialization_period_s") or 0,
            initial_readiness_delay_s=vector.get("initial_readiness_delay_s") or 0,
            downscale_stabilization_s=vector.get("downscale_stabilization_s") or 0,
            scale_to_zero=bool(vector.get("scale_to_zero_enabled")),
        ),
    )


def behavior_of(vector: Vector) -> Behavior:
    """The vector's behavior; `given` is False where it has none."""
    written = vector.get("behavior") or {}
    common = (vector.get("tolerance_up") or 0.0, vector.get("tolerance_down") or 0.0)
    default_down = vector.get("downscale_stabilization_s") or 0.0
    return Behavior(
        _direction(written.get("scale_up"), common[0], 0.0),
        _direction(written.get("scale_down"), common[1], default_down),
        given=booleans(1, value=bool(written)),
    )


def _direction(rule: Vector | None, tolerance: float, window_s: float) -> Direction:
    rule = rule or {}
    policies = rule.get("policies") or []
    stabilization = rule.get("stabilization_s")
    own = rule.get("tolerance")
    return Direction(
        window_s=floats(1, window_s if stabilization is None else stabilization),
        tolerance_ratio=floats(1, tolerance if own is None else own),
        select=small(1, {"Min": Select.MIN, "Disabled": Select.DISABLED}.get(str(rule.get("select")), Select.MAX)),
        rates=Rates(
            lane=integers(len(policies)),
            percent=np.array([policy["type"] == "Percent" for policy in policies], np.bool_),
            value=np.array([policy["value"] for policy in policies], np.int64),
            period_s=np.array([policy["period_s"] for policy in policies], np.float64),
        ),
        written=booleans(1, value=bool(rule)),
    )


def pods_of(vector: Vector) -> Pods:
    """The vector's pods, all of lane 0."""
    pods = vector["pods"]

    def column(name: str) -> list[float]:
        return [UNKNOWN if pod[name] is None else pod[name] for pod in pods]

    return Pods(
        lane=integers(len(pods)),
        phase=np.array([_PHASES[pod["phase"]] for pod in pods], np.int8),
        deleted=np.array([pod["deleted"] for pod in pods], np.bool_),
        ready=np.array(column("ready"), np.int8),
        started_age_s=np.array(column("started_age_s"), np.float64),
        transition_age_s=np.array(column("transition_age_s"), np.float64),
    )


def samples_of(vector: Vector) -> PodSamples:
    """One row per metric and pod, and one per orphan sample."""
    rows: list[tuple[int, int, bool, int, float, float, int]] = []
    for track, metric in enumerate(metrics_of(vector)):
        for pod, sample in enumerate(metric["pod_samples_milli"] or ()):
            seen = vector["pods"][pod]
            request = UNKNOWN if seen["request_milli"] is None else seen["request_milli"]
            age, window = seen["sample_age_s"] or 0.0, seen["sample_window_s"] or 0.0
            rows.append((track, pod, sample is not None, sample or 0, age, window, request))
        rows += [(track, UNKNOWN, True, value, 0.0, 0.0, UNKNOWN) for value in metric["orphan_samples_milli"] or ()]
    columns = list(zip(*rows, strict=True)) or [()] * 7
    types = (np.int64, np.int64, np.bool_, np.int64, np.float64, np.float64, np.int64)
    return PodSamples(*(np.array(values, kind) for values, kind in zip(columns, types, strict=True)))


def readings_of(vector: Vector) -> Readings:
    """The totals of object and external metrics; MISSING where reading the metric fails."""
    metrics = metrics_of(vector)
    readings = Readings.missing(len(metrics), Why.SOURCE_DOWN)
    totals = [min(sum(metric["metric_values_milli"] or ()), INT64_MAX) for metric in metrics]
    failed = np.array([metric["source_error"] for metric in metrics], np.bool_)
    status = np.where(failed, Status.MISSING, Status.FRESH).astype(np.int8)
    return replace(readings, value_milli=np.array(totals, np.int64), status=status)


def observation_of(vector: Vector) -> Observation:
    """What the controller sees in this vector."""
    return Observation(
        now_s=NOW_S,
        spec_replicas=integers(1, vector["spec_replicas"]),
        status_replicas=integers(1, vector["status_replicas"]),
        pods_per_replica=integers(1, 1),
        hold=small(1),
        readings=readings_of(vector),
        pods=pods_of(vector),
        samples=samples_of(vector),
        starts=Starts.none(),
        applied=Applied.none(),
    )


def log_of(entries: list[Vector], value: str) -> Log:
    """A log of one lane with the entries of a vector in their order."""
    log = Log.empty(1)
    for entry in entries:
        log = log.noted(NOW_S - entry["age_s"], integers(1, entry[value]), booleans(1, value=True), floats(1, np.inf))
    return log

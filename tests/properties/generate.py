"""Random policies and random observations: every status, holds, pods in any state, counts and values at their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from policies.arrays import any_by
from policies.fleet import fleet_of
from policies.model import (
    UNKNOWN,
    Applied,
    Fleet,
    Hold,
    Kind,
    Limits,
    Observation,
    Pods,
    PodSamples,
    Readings,
    Source,
    Starts,
    Status,
    Why,
)
from tests.builders import FREE, NOW_S, demand, late, ordering, policy, pressure, requested

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from policies.arrays import IntArray
    from policies.lead_time import Learned
    from policies.spec import WorkloadPolicy
    from tests.builders import Document

LARGEST = 2**63 - 1
MOST_REPLICAS = 10_000
VALUES = (0, 1, 999, 7_000, 70_000, 700_000, 10**9, 10**15, 10**17, LARGEST - 1, LARGEST)
REPLICAS = (0, 1, 2, 3, 5, 10, 100, 1000, MOST_REPLICAS)

SIGNALS = (
    demand(),
    demand("tokens", "12500m"),
    demand("huge", 9 * 10**15),
    requested(),
    requested("memory", "memory"),
    pressure("queue", average=5),
    pressure("latency", value="200m"),
    pressure("cache", average="800m", per_pod=True),
    late(),
)
SCHEDULES = (
    {"cron": "0 8 * * 1-5", "timezone": "Europe/Berlin", "duration": "10h"},
    {"cron": "*/20 * * * *", "duration": "10m"},
    {"cron": "0 0 * * *", "timezone": "Asia/Tokyo", "duration": "7d"},
)

EVENTS: tuple[Document, ...] = (
    {"name": "again", "cron": "*/7 * * * *", "duration": "5m", "factor": 3},
    {"name": "launch", "at": "2023-11-15T00:10:00Z", "duration": "2h", "factor": "0.5"},
    {"name": "sale", "cron": "0 1 * * *", "timezone": "Europe/Berlin", "duration": "30m", "factor": 40},
)  # about NOW_S

rate_policies = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Pods", "Percent"]),
        "value": st.sampled_from([1, 3, 10, 50, 100, 400]),
        "periodSeconds": st.sampled_from([15, 60, 600]),
    }
)
directions = st.fixed_dictionaries(
    {},
    optional={
        "stabilizationWindowSeconds": st.sampled_from([0, 15, 60, 300]),
        "policies": st.lists(rate_policies, min_size=1, max_size=3),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "tolerance": st.sampled_from(["0", "0.05", "0.5"]),
    },
)
behaviors = st.fixed_dictionaries({}, optional={"scaleUp": directions, "scaleDown": directions})


@st.composite
def schedules(draw: DrawFn, low: int, high: int) -> list[Document]:
    """Windows whose bounds agree with each other and with the policy's own."""
    rows = []
    for window in draw(st.lists(st.sampled_from(SCHEDULES), max_size=2)):
        least = draw(st.integers(1, high))
        most = draw(st.integers(max(least, low), max(2 * high, least, low)))
        rows.append({**window, "min": least, "max": most})
    return rows


@st.composite
def policies(draw: DrawFn, name: str = "web", *, signals: tuple[Document, ...] = SIGNALS) -> WorkloadPolicy:
    """Any policy of one workload."""
    chosen = draw(st.lists(st.sampled_from(signals), min_size=1, max_size=3, unique_by=lambda row: str(row["name"])))
    if all(row["kind"] == "late" for row in chosen):
        chosen.append(demand())
    low = draw(st.sampled_from([1, 2, 10]))
    high = draw(st.sampled_from([10, 30, 1000, MOST_REPLICAS]))
    return policy(
        name,
        *chosen,
        low=low,
        high=high,
        mode=draw(st.sampled_from(["active", "active", "shadow", "floor", "paused"])),
        behavior=draw(st.none() | behaviors),
        schedules=draw(schedules(low, high)),
        forecast={
            "events": draw(st.lists(st.sampled_from(EVENTS), max_size=2, unique_by=lambda row: str(row["name"])))
        },
        objective={"late": draw(st.sampled_from([0.001, 0.01, 0.3]))},
    )


@st.composite
def fleets(draw: DrawFn, *, limits: Limits = FREE, signals: tuple[Document, ...] = SIGNALS) -> Fleet:
    """A fleet of one to four lanes."""
    count = draw(st.integers(1, 4))
    return fleet_of([draw(policies(f"lane-{number}", signals=signals)) for number in range(count)], limits)


seeds = st.integers(0, 2**32 - 1)


def random_learned(random: np.random.Generator, fleet: Fleet) -> Learned:
    """Orders of any size, with evidence or without, of some lanes."""
    orders = random.choice([0, 1, 5, 50, 10_000_000], fleet.lanes).tolist()
    learned = ordering(fleet, *orders, alone=bool(random.random() < 0.5))
    without = ~any_by(fleet.tracks.lane, fleet.tracks.kind == Kind.DEMAND, fleet.lanes)
    learned.lead.scores.known[without | (random.random(fleet.lanes) < 0.2)] = 0
    return learned


def random_pods(random: np.random.Generator, lanes: int) -> Pods:
    """Up to six pods a lane, in any phase, of any age and readiness."""
    lane = np.repeat(np.arange(lanes), random.integers(0, 7, lanes))
    count = lane.size
    return Pods(
        lane=lane,
        phase=random.choice(np.array([0, 1, 1, 1, 2, 3], np.int8), count),
        deleted=random.random(count) < 0.15,
        ready=random.choice(np.array([1, 1, 1, 0, UNKNOWN], np.int8), count),
        started_age_s=random.choice([UNKNOWN, 0.0, 20.0, 299.0, 4000.0], count),
        transition_age_s=random.choice([UNKNOWN, 0.0, 10.0, 299.0, 4000.0], count),
    )


def random_samples(random: np.random.Generator, fleet: Fleet, pods: Pods) -> PodSamples:
    """Rows for tracks that are read by pod: pods with and without a sample, and samples without a pod."""
    track: list[int] = []
    pod: list[int] = []
    for number in np.flatnonzero(fleet.tracks.source <= Source.PODS):
        rows = np.flatnonzero(pods.lane == fleet.tracks.lane[number]).tolist()
        rows += [UNKNOWN] * int(random.integers(0, 2))
        track += [int(number)] * len(rows)
        pod += rows
    count = len(track)
    return PodSamples(
        track=np.array(track, np.int64),
        pod=np.array(pod, np.int64),
        present=random.random(count) < 0.85,
        value_milli=random.choice(np.array(VALUES), count),
        age_s=random.choice([0.0, 45.0, 400.0], count),
        window_s=np.full(count, 60.0),
        request_milli=random.choice(np.array([UNKNOWN, 1, 500, 4000, 10**14]), count),
    )


def random_readings(random: np.random.Generator, tracks: int, *, fresh: float = 0.6) -> Readings:
    """Values at their ends and in between, with any status."""
    status = random.choice(np.array(Status, np.int8), tracks)
    status = np.where(random.random(tracks) < fresh, Status.FRESH, status).astype(np.int8)
    value = np.where(random.random(tracks) < 0.5, random.integers(0, 2_000_000, tracks), random.choice(VALUES, tracks))
    return Readings(
        value_milli=np.where(status == Status.MISSING, 0, value),
        age_s=random.choice([0.0, 12.0, 89.0], tracks),
        status=status,
        why=np.where(status == Status.FRESH, Why.OK, random.choice(np.array(Why)[1:], tracks)).astype(np.int8),
        targets=random.choice(np.array([UNKNOWN, 1, 6]), tracks),
    )


def random_seen(
    random: np.random.Generator, fleet: Fleet, now_s: float = NOW_S, replicas: IntArray | None = None
) -> Observation:
    """Anything that a collector could have built for `fleet`."""
    lanes = fleet.lanes
    pods = random_pods(random, lanes)
    if replicas is None:
        replicas = np.where(random.random(lanes) < 0.5, random.choice(REPLICAS, lanes), random.integers(0, 40, lanes))
    starting = np.sort(random.integers(0, lanes, random.integers(0, 4)))
    return Observation(
        now_s=now_s,
        spec_replicas=replicas,
        status_replicas=np.where(random.random(lanes) < 0.7, replicas, random.choice(REPLICAS, lanes)),
        pods_per_replica=random.choice(np.array([1, 1, 1, 4]), lanes),
        hold=np.where(random.random(lanes) < 0.8, Hold.NONE, random.choice(np.array(Hold), lanes)).astype(np.int8),
        readings=random_readings(random, fleet.tracks.lane.size),
        pods=pods,
        samples=random_samples(random, fleet, pods),
        starts=Starts(
            lane=starting,
            duration_s=random.choice([0.0, 30.0, 900.0], starting.size),
            finished=random.random(starting.size) < 0.5,
            waited=random.choice(np.array([UNKNOWN, 0, 1], np.int8), starting.size),
            together=random.choice(np.array([1, 2, 6, 3000]), starting.size),
        ),
        applied=Applied.none(),
        learned=random_learned(random, fleet) if random.random() < 0.3 else None,
    )


def carried_out(before: IntArray, after: IntArray, at_s: float) -> Applied:
    """The changes from one count to another."""
    lane = np.flatnonzero(before != after)
    return Applied(lane, np.full(lane.size, at_s), before[lane], after[lane])

"""From policy documents to columns."""

import math
from dataclasses import replace

import pytest

from policies.aims import Aims
from policies.codes import Select
from policies.fleet import fleet_of
from policies.model import UNKNOWN, Kind, Mode, Source, TargetKind, signal_name
from policies.packing import pack
from tests.builders import Document, demand, one, policy, pressure, requested

CONTAINER = {**requested(), "capacityFromRequest": {"resource": "cpu", "container": "main"}}


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        # (kind, source, target kind, target in thousandths or per cent, capacity in thousandths, cpu)
        pytest.param(
            demand(capacity=40),
            (Kind.DEMAND, Source.EXTERNAL, TargetKind.AVERAGE_VALUE, 28_000, 40_000, False),  # 40 x 0.8 x 0.875
            id="declared-capacity",
        ),
        pytest.param(
            demand(capacity="1m"),
            (Kind.DEMAND, Source.EXTERNAL, TargetKind.AVERAGE_VALUE, 1, 1, False),
            id="the-smallest-capacity-keeps-a-target",
        ),
        pytest.param(
            requested(),
            (Kind.DEMAND, Source.RESOURCE, TargetKind.UTILIZATION, 70, UNKNOWN, True),
            id="cpu-request",
        ),
        pytest.param(
            requested("memory", "memory"),
            (Kind.DEMAND, Source.RESOURCE, TargetKind.UTILIZATION, 70, UNKNOWN, False),
            id="memory-request",
        ),
        pytest.param(
            CONTAINER,
            (Kind.DEMAND, Source.CONTAINER_RESOURCE, TargetKind.UTILIZATION, 70, UNKNOWN, True),
            id="request-of-a-container",
        ),
        pytest.param(
            pressure(average="1500m"),
            (Kind.PRESSURE, Source.EXTERNAL, TargetKind.AVERAGE_VALUE, 1_500, UNKNOWN, False),
            id="pressure-per-replica",
        ),
        pytest.param(
            pressure(value=3),
            (Kind.PRESSURE, Source.EXTERNAL, TargetKind.VALUE, 3_000, UNKNOWN, False),
            id="pressure-in-total",
        ),
        pytest.param(
            pressure(average=5, per_pod=True),
            (Kind.PRESSURE, Source.PODS, TargetKind.AVERAGE_VALUE, 5_000, UNKNOWN, False),
            id="pressure-read-by-pod",
        ),
        pytest.param(
            {"kind": "late", "name": "slow", "query": "q"},
            (Kind.LATE, Source.EXTERNAL, TargetKind.NONE, 0, UNKNOWN, False),
            id="late-only-measures",
        ),
    ],
)
def test_a_signal_becomes_a_track(signal: Document, expected: tuple[object, ...]) -> None:
    tracks = one(signal, *([demand("other")] if signal["kind"] == "late" else [])).tracks
    columns = (tracks.kind, tracks.source, tracks.target_kind, tracks.target_milli, tracks.capacity_milli, tracks.cpu)

    assert tuple(column[0] for column in columns) == expected
    assert tracks.uid[0].partition("#")[0] == f"shop/web/{signal['name']}"


def test_lanes_are_sorted_by_uid_and_tracks_by_lane() -> None:
    fleet = fleet_of([policy("b", demand("x"), demand("y")), policy("a", demand("z"))])

    assert fleet.uid == ("shop/a", "shop/b")
    assert [uid.partition("#")[0] for uid in fleet.tracks.uid] == ["shop/a/z", "shop/b/x", "shop/b/y"]
    assert fleet.tracks.lane.tolist() == [0, 1, 1]


def test_defaults_are_those_of_kubernetes_and_not_written() -> None:
    behavior = one().behavior

    assert (behavior.up.window_s[0], behavior.down.window_s[0]) == (0.0, 300.0)
    assert (behavior.up.rates.value.tolist(), behavior.up.rates.percent.tolist()) == ([4, 100], [False, True])
    assert (behavior.down.rates.value.tolist(), behavior.down.rates.percent.tolist()) == ([100], [True])
    assert behavior.up.rates.period_s.tolist() == [15.0, 15.0]
    assert not behavior.up.written[0]
    assert not behavior.down.written[0]
    assert behavior.given.all()


def test_what_is_written_counts_as_written() -> None:
    down = {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}], "selectPolicy": "Min", "tolerance": "0.2"}
    behavior = one(behavior={"scaleDown": down}).behavior

    assert (behavior.up.written[0], behavior.down.written[0]) == (False, True)
    assert behavior.down.select[0] == Select.MIN
    assert behavior.down.tolerance_ratio[0] == 0.2
    assert behavior.down.window_s[0] == 300.0
    assert (behavior.down.rates.value[0], behavior.down.rates.period_s[0]) == (2, 60.0)


def test_the_rest_of_a_policy() -> None:
    fleet = one(
        mode="floor",
        low=2,
        high=9,
        objective={"late": "0.1%", "servingLimit": 0.5},
        forecast={"enabled": False, "history": "2d"},
    )

    assert fleet.mode.tolist() == [Mode.FLOOR]
    assert (fleet.min_replicas[0], fleet.max_replicas[0]) == (2, 9)
    assert (fleet.late_ratio[0], fleet.serving_limit_ratio[0]) == (0.001, 0.5)
    assert (fleet.forecast[0], fleet.history_s[0]) == (False, 172_800.0)
    assert fleet.tracks.target_milli.tolist() == [4375]  # 10 x 0.5 x 0.875


def test_aims() -> None:
    objective = {
        "late": "incumbent",
        "slo": {"target": "99.9%"},
        "prices": {"replicaHour": 1.2, "lateRequest": 0.002},
        "churn": 60,
    }
    fleet = fleet_of(
        [
            policy("a"),
            policy("b", demand(capacity=50), objective=objective, incumbent={"target": 0.6, "window": "1m"}),
        ]
    )
    aims = fleet.aims

    assert fleet.late_ratio.tolist() == pytest.approx([0.01, 0.00025])
    assert aims.late_incumbent.tolist() == [False, True]
    assert aims.slo_window_s.tolist() == [0.0, 2_592_000.0]
    assert aims.slo_hour_ratio.tolist() == pytest.approx([math.inf, 0.009])
    # 50 per second x 0.8 x 3600 s = 144,000 requests in a full replica's hour, at 0.002 each 288, against 1.20.
    assert aims.late_price_ratio.tolist() == pytest.approx([0.0, 240.0])
    assert aims.churn_s.tolist() == [30.0, 60.0]
    assert aims.incumbent_given.tolist() == [False, True]
    assert aims.incumbent_target_ratio.tolist() == pytest.approx([0.7, 0.6])
    assert aims.incumbent_tolerance_ratio.tolist() == [0.1, 0.1]
    assert aims.incumbent_window_s.tolist() == [300.0, 60.0]


def test_aims_that_were_left_out_are_those_of_a_policy_that_says_nothing_of_them() -> None:
    fleet = fleet_of([policy("a"), policy("b", objective={"servingLimit": 0.5})])

    assert pack(replace(fleet, aims=Aims.none())) == pack(fleet)


def test_no_policies_are_a_fleet_of_no_lanes() -> None:
    fleet = fleet_of([])

    assert fleet.lanes == 0
    assert fleet.tracks.lane.size == 0


def test_another_query_is_another_track_of_the_same_name() -> None:
    old, new = (fleet_of([policy("web", {**demand(), "query": query})]) for query in ("load", "load * 60"))
    assert old.tracks.uid != new.tracks.uid
    assert signal_name(old.tracks.uid[0]) == signal_name(new.tracks.uid[0]) == "load"

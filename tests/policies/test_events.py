"""Declared events: how they are written, what is said of wrong ones, and when they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from policies.arrays import booleans
from policies.events import ONCE, Spans, spans_between
from policies.fleet import fleet_of
from policies.packing import pack
from policies.snapshot import fleet_from
from policies.spec import WorkloadPolicy, policy_from
from policies.subset import fleet_for
from tests.policies.test_spec import document
from tests.policies.test_spec_problems import problems

SALE = {"name": "sale", "at": "2026-11-27T08:00:00Z", "duration": "8h", "factor": 3}
BATCH = {"name": "batch", "cron": "0 2 * * *", "timezone": "Europe/Berlin", "duration": "30m", "extra": "1k"}
SALE_S = 1_795_766_400.0  # 2026-11-27 08:00 UTC
DEMAND = {"name": "rps", "kind": "demand", "query": "up", "capacityPerReplica": 1}
TOKENS = DEMAND | {"name": "tokens"}


def events(*each: dict[str, Any], signals: tuple[dict[str, Any], ...] = (DEMAND,)) -> dict[str, Any]:
    return document(forecast={"events": list(each)}, signals=list(signals))


def policy_of(
    *each: dict[str, Any], name: str = "web", signals: tuple[dict[str, Any], ...] = (DEMAND,)
) -> WorkloadPolicy:
    made = events(*each, signals=signals)
    target = made["spec"]["target"] | {"name": name}
    return policy_from(
        made | {"metadata": {"name": name}, "spec": made["spec"] | {"target": target}}, source=f"{name}.yaml"
    )


def test_an_event_is_read_and_written_back() -> None:
    policy = policy_of(SALE, BATCH)
    sale, batch = policy.spec.forecast.events

    assert (sale.at, sale.duration, sale.factor, sale.extra) == (SALE_S, 28_800.0, Decimal(3), None)
    assert (batch.cron, batch.timezone, batch.duration, batch.extra) == (
        "0 2 * * *",
        "Europe/Berlin",
        1800.0,
        Decimal(1000),
    )
    assert policy_from(policy.document(), source="again") == policy


@pytest.mark.parametrize(
    "at",
    ["2026-11-27T09:00:00+01:00", "2026-11-27 08:00:00Z", datetime(2026, 11, 27, 8, tzinfo=UTC)],
    ids=["another-offset", "a-blank", "as-yaml-reads-it"],
)
def test_a_moment_may_be_written_in_several_ways(at: object) -> None:
    assert policy_of(SALE | {"at": at}).spec.forecast.events[0].at == SALE_S


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            events(SALE | {"cron": "0 8 * * *"}),
            "spec.forecast.events[0]: must have exactly one of at and cron, not both",
            id="at-and-cron",
        ),
        pytest.param(
            events({"name": "sale", "at": SALE["at"], "duration": "8h"}),
            "spec.forecast.events[0]: must have exactly one of factor and extra, not none",
            id="no-size",
        ),
        pytest.param(
            events(SALE | {"at": "next friday"}),
            "spec.forecast.events[0].at: must be a moment such as 2026-11-27T08:00:00Z, not 'next friday'",
            id="no-moment",
        ),
        pytest.param(
            events(SALE | {"at": "2026-11-27T08:00:00"}),
            "spec.forecast.events[0].at: must say its offset from UTC, such as 2026-11-27T08:00:00Z,"
            " not '2026-11-27T08:00:00'",
            id="no-offset",
        ),
        pytest.param(
            events(SALE | {"duration": "8d"}),
            "spec.forecast.events[0].duration: must be from 1m to 7d, not 8d",
            id="too-long",
        ),
        pytest.param(
            events(SALE | {"factor": 0}), "spec.forecast.events[0].factor: must be above 0, not 0", id="nothing-left"
        ),
        pytest.param(
            events(SALE, BATCH | {"name": "sale"}),
            "spec.forecast.events[1].name: 'sale' is already the name of events[0]; give each its own",
            id="one-name-twice",
        ),
        pytest.param(
            events(SALE | {"signal": "queue"}),
            "spec.forecast.events[0].signal: must name a demand signal of the policy, not 'queue'; they are rps",
            id="unknown-signal",
        ),
        pytest.param(
            events(BATCH, signals=(DEMAND, TOKENS)),
            "spec.forecast.events[0]: needs signal: extra is in the unit of one of rps, tokens",
            id="extra-of-which-signal",
        ),
    ],
)
def test_what_is_said_of_a_wrong_event(made: dict[str, Any], message: str) -> None:
    assert message in problems(made)


def test_events_are_columns_of_the_fleet_that_lanes_take_along() -> None:
    fleet = fleet_of([policy_of(name="a"), policy_of(SALE, BATCH, name="b"), policy_of(BATCH, name="c")])
    table = fleet.events

    assert table.lane.tolist() == [1, 1, 2]
    assert table.name == ("sale", "batch", "batch")
    assert table.factor.tolist() == [3.0, 1.0, 1.0]
    assert table.extra.tolist() == [0.0, 1000.0, 1000.0]
    assert table.window.tolist() == [ONCE, 0, 0]
    assert len(table.windows) == 1
    keep = booleans(3)
    keep[2] = True
    assert fleet_for(fleet, keep).events.lane.tolist() == [0]
    assert fleet_from(pack(fleet)).events.name == table.name


def found(
    each: dict[str, Any], from_s: float, until_s: float, *, signals: tuple[dict[str, Any], ...] = (DEMAND,)
) -> Spans:
    fleet = fleet_of([policy_of(each, signals=signals)])
    names = [str(signal["name"]) for signal in signals]
    return spans_between(fleet.events, fleet.tracks.lane, names, from_s=from_s, until_s=until_s)


def test_an_event_that_happens_once_meets_the_spans_that_overlap_it() -> None:
    assert found(SALE, SALE_S - 60, SALE_S).row.size == 0
    assert found(SALE, SALE_S + 28_800, SALE_S + 90_000).row.size == 0
    span = found(SALE, SALE_S + 28_799, SALE_S + 90_000)
    assert (span.from_s.tolist(), span.until_s.tolist()) == ([SALE_S], [SALE_S + 28_800])


def test_an_event_by_cron_happens_in_its_time_zone_again_and_again() -> None:
    midnight_s = SALE_S - 8 * 3600
    span = found(BATCH, midnight_s, midnight_s + 2 * 86_400)

    assert (span.from_s - midnight_s).tolist() == [3600.0, 90_000.0]  # 02:00 in Berlin is 01:00 UTC in winter
    assert (span.until_s - span.from_s).tolist() == [1800.0, 1800.0]
    assert span.extra.tolist() == [1000.0, 1000.0]


def test_an_event_of_one_signal_leaves_the_others_alone() -> None:
    span = found(BATCH | {"signal": "tokens"}, SALE_S - 86_400, SALE_S, signals=(DEMAND, TOKENS))

    assert np.unique(span.row).tolist() == [1]


def test_spans_of_some_rows_are_renumbered() -> None:
    span = found(SALE, SALE_S, SALE_S + 60, signals=(DEMAND, TOKENS))

    assert span.row.tolist() == [0, 1]
    assert span.of_rows(np.array([1]), 2).row.tolist() == [0]
    assert Spans.none().row.size == 0

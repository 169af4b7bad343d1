"""Readings: every code, and values in thousandths."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.collect import Collector
from controller.collect.collector import News
from controller.collect.values import milli
from controller.records import Answer, Answered, ClusterView, PolicySet, SignalQuery, Unanswered
from policies.arrays import INT64_MAX
from policies.fleet import fleet_of
from policies.model import Status, Why
from tests.builders import NOW_S, demand, policy, pressure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import PastSeries
    from policies.spec import WorkloadPolicy

Key = tuple[str, ...]
KEY: Key = ("web",)
TOTAL = policy("web", {**demand(), "match": {"app": "$name"}})
PER_POD = policy("web", {**pressure(average=5, per_pod=True), "match": {"app": "$name"}})
QUERY = SignalQuery("load", ("app",))
POD_QUERY = SignalQuery("queue", ("app",), per_pod=True)


def answered(
    *values: float, age_s: float | None = 10.0, targets: int | None = None, keys: tuple[Key, ...] | None = None
) -> Answered:
    """Values under `KEY`, with a witness of that age; None = freshness cannot be derived."""
    newest = None if age_s is None else {KEY: NOW_S - age_s}
    of_key = None if targets is None else {KEY: targets}
    return Answered(QUERY, keys or (KEY,) * len(values), values, newest, of_key)


def by_pod(**values: float) -> Answered:
    keys = tuple((*KEY, pod) for pod in values)
    return Answered(POD_QUERY, keys, tuple(values.values()), {KEY: NOW_S}, None)


class NoSource:
    """Never asked: the answers are given."""

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        raise AssertionError(queries, at_s, deadline_s)

    async def past(self, query: SignalQuery, **_: float) -> Sequence[PastSeries]:
        raise AssertionError(query)


def read(answer: Answer, row: WorkloadPolicy = TOTAL) -> tuple[object, ...]:
    """(value, status, why) of the one track."""
    collector = Collector(NoSource())
    collector.prepare(PolicySet((row,)))
    found = collector.observation(fleet_of([row]), [answer], ClusterView({}, {}, NOW_S), NOW_S, News()).readings
    return found.value_milli[0] / 1000, Status(found.status[0]), Why(found.why[0])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(answered(4.5), (4.5, Status.FRESH, Why.OK), id="a-recent-value-is-fresh"),
        pytest.param(answered(4.5, age_s=90), (4.5, Status.FRESH, Why.OK), id="ninety-seconds-are-recent"),
        pytest.param(answered(4.5, age_s=91), (4.5, Status.STALE, Why.TOO_OLD), id="an-old-value-is-stale"),
        pytest.param(answered(4.5, age_s=-5), (4.5, Status.FRESH, Why.OK), id="clocks-may-differ-a-little"),
        pytest.param(
            answered(4.5, age_s=-6), (4.5, Status.STALE, Why.FROM_THE_FUTURE), id="a-value-from-the-future-is-stale"
        ),
        pytest.param(
            answered(4.5, age_s=None), (4.5, Status.STALE, Why.UNKNOWN_FRESHNESS), id="unknown-freshness-is-stale"
        ),
        pytest.param(
            Answered(QUERY, (KEY,), (4.5,), {}, None), (4.5, Status.STALE, Why.TOO_OLD), id="no-witness-is-stale"
        ),
        pytest.param(answered(), (0, Status.MISSING, Why.NO_SERIES), id="an-empty-answer-is-missing-and-no-zero"),
        pytest.param(
            answered(4.5, keys=(("other",),)), (0, Status.MISSING, Why.NO_SERIES), id="another-workloads-series-is-none"
        ),
        pytest.param(answered(1, 2), (0, Status.MISSING, Why.AMBIGUOUS), id="two-series-are-ambiguous"),
        pytest.param(answered(nan), (0, Status.MISSING, Why.NOT_FINITE), id="nan-is-missing"),
        pytest.param(answered(inf), (0, Status.MISSING, Why.NOT_FINITE), id="infinity-is-missing"),
        pytest.param(answered(-1), (0, Status.MISSING, Why.NOT_FINITE), id="below-zero-is-missing"),
        pytest.param(answered(0), (0, Status.FRESH, Why.OK), id="a-real-zero-is-fresh"),
        *(
            pytest.param(Unanswered(QUERY, why, "x"), (0, Status.MISSING, why), id=f"{why.name.lower()}-is-missing")
            for why in (Why.SOURCE_DOWN, Why.BAD_QUERY, Why.DEADLINE, Why.NOT_ASKED)
        ),
    ],
)
def test_a_reading(answer: Answer, expected: tuple[object, ...]) -> None:
    assert read(answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(by_pod(a=1.5, b=2), (3.5, Status.FRESH, Why.OK), id="pods-are-summed"),
        pytest.param(
            by_pod(a=1.5, b=nan), (0, Status.MISSING, Why.NOT_FINITE), id="one-pod-without-a-number-is-missing"
        ),
        pytest.param(by_pod(), (0, Status.MISSING, Why.NO_SERIES), id="no-pod-is-missing"),
        pytest.param(
            Answered(POD_QUERY, ((*KEY, "a"), (*KEY, "a")), (1, 1), {KEY: NOW_S}, None),
            (0, Status.MISSING, Why.AMBIGUOUS),
            id="two-series-of-a-pod-are-ambiguous",
        ),
    ],
)
def test_a_reading_by_pod(answer: Answer, expected: tuple[object, ...]) -> None:
    assert read(answer, PER_POD) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0.0, 0, id="zero"),
        pytest.param(0.0001, 1, id="rounded-up"),
        pytest.param(0.3, 300, id="no-float-noise"),
        pytest.param(1e300, INT64_MAX, id="saturated"),
    ],
)
def test_milli(value: float, expected: int) -> None:
    assert milli(np.array([value])).tolist() == [expected]

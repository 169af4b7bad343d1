"""Readings: every code, and which missing scrape targets make a value a lower bound."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.collect.questions import Questions
from controller.collect.readings import INT64_MAX, Coverage, Values, milli, readings_of
from controller.records import Answer, Answered, SignalQuery, Unanswered
from policies.model import Status, Why
from tests.builders import NOW_S, demand, policy, pressure

if TYPE_CHECKING:
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


def read(
    answer: Answer, row: WorkloadPolicy = TOTAL, coverage: Coverage | None = None, ready: int = 3
) -> tuple[object, ...]:
    """(value, status, why) of the one track."""
    values = [Values.of(answer)]
    found = readings_of(Questions.of([row]), values, coverage or Coverage(), np.array([ready]), NOW_S)
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


Look = tuple[float, int, int]  # seconds since the start, scrape targets, ready pods


@pytest.mark.parametrize(
    ("looks", "lacking"),
    [
        pytest.param([(0, 6, 6), (15, 5, 6)], [False, True], id="a-target-gone-beside-ready-pods"),
        pytest.param([(0, 6, 6), (15, 5, 6), (30, 6, 6)], [False, True, False], id="back-again"),
        pytest.param([(0, 6, 6), (15, 6, 3), (30, 3, 3)], [False, False, False], id="pods-scaled-down"),
        pytest.param([(0, 6, 6), (15, 6, 10), (60, 10, 10)], [False, False, False], id="new-pods-not-scraped-yet"),
        pytest.param([(0, 10, 2), (15, 5, 2)], [False, True], id="half-of-a-gateway-larger-than-the-workload"),
        pytest.param([(0, 10, 4), (15, 10, 2), (30, 9, 2)], [False, False, False], id="unsure-while-pods-go"),
        pytest.param([(0, 12, 6), (15, 10, 5)], [False, False], id="two-targets-a-pod-scaled-down"),
        pytest.param([(0, 12, 6), (15, 11, 6)], [False, True], id="one-of-two-targets-of-a-pod-gone"),
        pytest.param([(0, 6, 6), (15, 5, 0)], [False, True], id="no-ready-pod-explains-nothing"),
        pytest.param([(0, 6, 6), (600, 5, 6), (615, 5, 6)], [False, True, False], id="forgotten-after-ten-minutes"),
        pytest.param([(0, 0, 0), (15, 3, 0)], [False, False], id="first-targets"),
    ],
)
def test_coverage(looks: list[Look], lacking: list[bool]) -> None:
    coverage, place = Coverage(), Questions.of([TOTAL]).places[0]

    assert [coverage.lacks(place, targets, ready, NOW_S + at_s) for at_s, targets, ready in looks] == lacking


def test_a_value_of_fewer_targets_is_a_lower_bound() -> None:
    coverage = Coverage()

    assert read(answered(9, targets=3), coverage=coverage) == (9, Status.FRESH, Why.OK)
    assert read(answered(6, targets=2), coverage=coverage) == (6, Status.CENSORED, Why.PARTIAL_SERIES)
    coverage.forget()
    assert read(answered(6, targets=2), coverage=coverage) == (6, Status.FRESH, Why.OK)


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
    assert milli(value) == expected

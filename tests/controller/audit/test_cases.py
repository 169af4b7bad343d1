"""What is assumed of a workload, and that it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.audit.cases import Assumptions, case_of
from controller.audit.plan import Ask, Load
from controller.audit.reading import Read, Started
from controller.records import SignalQuery
from simulations.audit.autoscaler import About, NamedMetric, QueryMetric, ResourceMetric
from simulations.audit.case import Case
from simulations.audit.price import Price
from simulations.audit.verdict import Passed
from tests.simulations.audit.builders import START_S, autoscaler

CPU = ResourceMetric("cpu", target_ratio=0.7)
POINTS = 10


def read(metric: ResourceMetric | NamedMetric | QueryMetric = CPU, **parts: object) -> Read:
    scaled = replace(autoscaler(low=2), metrics=(metric,))
    load = Load(scaled, metric, Ask(SignalQuery("sum(load)"), ()), "sum(load)", "cores", ())
    made = Read(
        load,
        START_S + 60 * np.arange(float(POINTS)),
        np.ones(POINTS),
        np.full(POINTS, 3.0),
        np.full(POINTS, 2.0),
        2.0,
        None,
        None,
    )
    return replace(made, **parts)  # type: ignore[arg-type]  # fields by name


def made(one: Read, assumed: Assumptions | None = None) -> Case:
    found = case_of(one, assumed or Assumptions())
    assert isinstance(found, Case)
    return found


def test_use_of_cpu_is_measured_against_the_request() -> None:
    case = made(read())
    assert (case.serving.capacity, case.serving.serving_limit_ratio, case.serving.min_replicas) == (2.0, 0.8, 2)
    assert (case.measure.target_ratio, case.measure.from_request) == (0.7, True)
    assert case.seen is not None
    assert (case.seen.paid[0], case.seen.ready[0]) == (3.0, 2.0)
    assert "CPU request (cores: 2)" in case.findings[0].message


@pytest.mark.parametrize(
    ("metric", "capacity", "aim"),
    [
        pytest.param(NamedMetric("Pods", "rps", 7.0), 10.0, 0.7, id="target-is-70-percent-of-capacity"),
        pytest.param(QueryMetric("q", 14.0), 20.0, 0.7, id="threshold-too"),
        pytest.param(ResourceMetric("cpu", average_value=1.0), 2.0, 0.5, id="cores-of-a-known-request"),
    ],
)
def test_capacity_is_declared_by_the_target(
    metric: ResourceMetric | NamedMetric | QueryMetric, capacity: float, aim: float
) -> None:
    case = made(read(metric))
    assert case.serving.capacity == pytest.approx(capacity)
    assert case.measure.target_ratio == pytest.approx(aim)
    assert any(each.about == About.CAPACITY for each in case.findings)


def test_a_capacity_that_is_given_stands() -> None:
    case = made(read(NamedMetric("Pods", "rps", 7.0)), Assumptions(capacity=28.0))
    assert (case.serving.capacity, case.measure.target_ratio) == (28.0, 0.25)


@pytest.mark.parametrize(
    ("aim", "limit"),
    [
        pytest.param(0.5, 0.8, id="usual"),
        pytest.param(0.8, 0.9143, id="above-where-the-owner-aims"),
        pytest.param(0.95, 1.0, id="never-above-capacity"),
    ],
)
def test_the_serving_limit_is_assumed_above_the_target(aim: float, limit: float) -> None:
    assert made(read(ResourceMetric("cpu", target_ratio=aim))).serving.serving_limit_ratio == limit


def test_a_serving_limit_that_is_given_stands() -> None:
    case = made(read(ResourceMetric("cpu", target_ratio=0.8)), Assumptions(serving_limit_ratio=0.7))
    assert case.serving.serving_limit_ratio == 0.7


@pytest.mark.parametrize(
    ("started", "given", "startup_s", "words"),
    [
        pytest.param(Started(40, 212.4), None, 212.0, "90th percentile of 40 starts", id="measured"),
        pytest.param(Started(4, 212.4), None, 60.0, "no start-up times were found; 1m is assumed", id="too-few"),
        pytest.param(None, None, 60.0, "no start-up times were found", id="none"),
        pytest.param(Started(40, 212.4), 90.0, 90.0, None, id="given"),
    ],
)
def test_start_ups_are_measured_given_or_assumed(
    started: Started | None, given: float | None, startup_s: float, words: str | None
) -> None:
    case = made(read(started=started), Assumptions(startup_s=given))
    assert case.serving.startup_s == startup_s
    told = [each.message for each in case.findings if each.about == About.STARTUP]
    assert told == [] if words is None else words in told[0]


def test_replicas_that_were_not_ready_are_told_and_where_they_are_not_it_is_said() -> None:
    ready = np.full(POINTS, np.nan)
    ready[:5] = 2.0
    case = made(read(ready=ready))
    assert case.seen is not None
    assert case.seen.ready[[0, -1]].tolist() == [2.0, 3.0]
    assert any("not told for 50 % of the time" in each.message for each in case.findings)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param(
            {"value": np.full(POINTS, np.nan)},
            "its load has no samples in this span; does this Prometheus scrape its pods? It was asked: sum(load)",
            id="load",
        ),
        pytest.param({"paid": np.full(POINTS, np.nan)}, "its past replicas are not known", id="replicas"),
        pytest.param({"request_cores": None}, "CPU request is not known", id="request"),
    ],
)
def test_what_is_missing_passes_the_workload_over(parts: dict[str, object], words: str) -> None:
    found = case_of(replace(read(), **parts), Assumptions())  # type: ignore[arg-type]  # fields by name
    assert isinstance(found, Passed)
    assert words in found.why


def test_money_needs_what_the_price_is_for() -> None:
    cpu, gpu = Price.parse("0.04/cpu-hour"), Price.parse("2/gpu-hour")
    assert made(read(), Assumptions(prices=(cpu,))).replica_hour_price == pytest.approx(0.08)
    case = made(read(), Assumptions(prices=(cpu, gpu)))
    assert case.replica_hour_price is None
    assert case.findings[-1].about == About.PRICE


def test_a_load_that_begins_late_is_said_to() -> None:
    at_s = START_S + 3600 * np.arange(14 * 24.0)
    value = np.where(np.arange(14 * 24) < 3 * 24, np.nan, 1.0)
    case = made(read(at_s=at_s, value=value, paid=np.full(at_s.size, 3.0), ready=np.full(at_s.size, 2.0)))
    [told] = [each.message for each in case.findings if each.about is About.HISTORY]
    assert told == "its load is known from 2023-11-18T00:00:00Z on: the last 11.0 of 14 days"
    assert case.track.at_s[0] == START_S + 3 * 86_400

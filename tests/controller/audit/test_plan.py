"""What is asked for each autoscaler, and how many share a query."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.audit import queries
from controller.audit.plan import Cannot, Load, names_to_look_for, planned
from simulations.audit.autoscaler import About, Metric, NamedMetric, OtherMetric, QueryMetric, ResourceMetric
from tests.simulations.audit.builders import autoscaler

HERE = "http://prometheus:9090"
CPU = ResourceMetric("cpu", target_ratio=0.7)
RPS = NamedMetric("Pods", "http_requests_per_second", 10.0)


def load_of(*metrics: Metric, present: tuple[str, ...] = ()) -> Load | Cannot:
    [found] = planned([replace(autoscaler(), metrics=metrics)], dict.fromkeys(present, True), HERE)
    return found


def test_workloads_of_one_kind_share_a_query_and_are_told_apart_by_whole_names() -> None:
    scaled = [autoscaler("web"), autoscaler("web-canary")]
    one, other = planned(scaled, {}, HERE)
    assert isinstance(one, Load)
    assert isinstance(other, Load)
    assert one.ask.query is other.ask.query
    assert (one.ask.key, other.ask.key) == (("shop", "web"), ("shop", "web-canary"))
    assert one.ask.query.text == (
        'sum by (namespace, workload) (label_replace(rate(container_cpu_usage_seconds_total{namespace=~"shop",'
        'pod=~"(web|web-canary)-[a-z0-9]{1,10}-[a-z0-9]{5}",container!="",container!="POD"}[2m]), '
        '"workload", "$1", "pod", "(web|web-canary)-[a-z0-9]{1,10}-[a-z0-9]{5}"))'
    )


def test_more_than_a_hundred_workloads_take_more_queries() -> None:
    loads = planned([autoscaler(f"web{number}") for number in range(150)], {}, HERE)
    assert len({each.ask.query for each in loads if isinstance(each, Load)}) == 2


def test_the_policys_query_fills_in_its_own_names() -> None:
    found = load_of(CPU)
    assert isinstance(found, Load)
    assert found.policy_query == (
        'sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="$namespace",'
        ' pod=~"$name-[a-z0-9]{1,10}-[a-z0-9]{5}", container!="", container!="POD"}[2m]))'
    )


def test_a_named_metric_is_found_by_the_adapters_usual_names_and_says_so() -> None:
    assert names_to_look_for([replace(autoscaler(), metrics=(RPS,))]) == [
        "http_requests",
        "http_requests_per_second",
        "http_requests_seconds_total",
        "http_requests_total",
    ]
    found = load_of(RPS, present=("http_requests_total",))
    assert isinstance(found, Load)
    assert "rate(http_requests_total{" in found.ask.query.text
    assert found.findings[0].about == About.METRIC
    assert "read as the rate of http_requests_total" in found.findings[0].message


def test_a_gauge_is_suspected_to_depend_on_replicas() -> None:
    found = load_of(NamedMetric("Pods", "queue_length", 4.0), present=("queue_length",))
    assert isinstance(found, Load)
    assert any("is a gauge" in each.message for each in found.findings)


def test_an_object_metric_is_asked_by_its_labels() -> None:
    metric = NamedMetric("Object", "requests", 10.0, (("ingress", "main"),))
    found = load_of(metric, present=("requests_total",))
    assert isinstance(found, Load)
    assert found.ask.query.text == 'sum(rate(requests_total{ingress="main", namespace="shop"}[2m]))'


def test_a_query_metric_goes_before_cpu_and_names_what_is_left_out() -> None:
    keda = QueryMetric("sum(rate(tokens_total[1m]))", 100.0, "http://elsewhere:9090")
    found = load_of(CPU, keda, OtherMetric("cron", "it has no counterpart"))
    assert isinstance(found, Load)
    assert found.metric is keda
    told = [each.message for each in found.findings]
    assert told[0].endswith("not of its own serverAddress http://elsewhere:9090")
    assert told[1].endswith("the autoscaler also follows cpu 70 %; cron (it has no counterpart)")


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        pytest.param((), "it names no metric", id="none"),
        pytest.param((OtherMetric("memory", "does not follow load"),), "memory: does not follow load", id="memory"),
        pytest.param((RPS,), "is in none of the series http_requests_total", id="no-such-series"),
    ],
)
def test_what_cannot_be_asked_says_why(metrics: tuple[Metric, ...], words: str) -> None:
    found = load_of(*metrics)
    assert isinstance(found, Cannot)
    assert words in found.why


def test_kedas_autoscaler_has_its_usual_name() -> None:
    assert queries.hpa_name(replace(autoscaler(), kind="ScaledObject")) == "keda-hpa-web"


def test_a_name_with_dots_is_taken_literally() -> None:
    assert 'deployment=~"a\\\\.b"' in queries.replicas([autoscaler("a.b")], ready=False).text

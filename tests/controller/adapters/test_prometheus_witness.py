"""The witness: the query that brings it, when there is none, and what it says for each key."""

from __future__ import annotations

import pytest

from controller.adapters.prometheus.decode import Samples
from controller.adapters.prometheus.promql import selectors_of
from controller.adapters.prometheus.witness import Witness, witness_of, witnessed
from controller.records import SignalQuery

Key = tuple[str, ...]


def test_one_query_brings_the_newest_time_and_the_scrape_targets_of_each_workload() -> None:
    witness = witness_of(SignalQuery("sum by (ns, app) (rate(x[5m]))", ("ns", "app")))

    assert witness is not None
    assert witness.text == (
        'label_replace(max by (ns, app) (timestamp(x)), "__witness__", "newest-0", "", "")'
        " or "
        "label_replace(count by (ns, app) (count by (ns, app, job, instance, pod) (x)),"
        ' "__witness__", "targets-0", "", "")'
    )
    assert witness.labels == ("ns", "app", "__witness__")


def test_the_pod_of_a_query_by_pod_is_not_part_of_its_witness() -> None:
    assert witness_of(SignalQuery("x", ("app",), per_pod=True)) == witness_of(SignalQuery("x", ("app",)))


def test_a_label_that_names_a_scrape_target_is_listed_once() -> None:
    witness = witness_of(SignalQuery("x", ("pod",)))

    assert witness is not None
    assert "count by (pod, job, instance) (x)" in witness.text


def test_label_names_that_need_quotes_get_them() -> None:
    witness = witness_of(SignalQuery("x", ("k8s.pod",)))

    assert witness is not None
    assert 'max by ("k8s.pod") (timestamp(x))' in witness.text


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        pytest.param("x offset 5m", (), id="offset"),
        pytest.param("x @ end()", (), id="at"),
        pytest.param("max_over_time(rate(x[1m])[10m:])", (), id="subquery"),
        pytest.param("vector(1)", (), id="no-selector"),
        pytest.param('label_replace(x, "app", "$1", "pod", "(.*)-.*")', ("app",), id="label-replace"),
        pytest.param('label_join(x, "app", "/", "a", "b")', ("app",), id="label-join"),
    ],
)
def test_no_witness_where_freshness_cannot_be_derived(query: str, labels: Key) -> None:
    assert witness_of(SignalQuery(query, labels)) is None


def test_rewritten_labels_do_not_matter_where_none_tells_workloads_apart() -> None:
    assert witness_of(SignalQuery('sum(label_replace(x, "a", "b", "", ""))')) is not None


@pytest.mark.parametrize(
    "query",
    [
        "histogram_quantile(0.99, sum by (le, app) (rate(vllm:latency_bucket[5m])))",
        'sum by (app) (rate(x{y="z"}[1m])) / on (app) group_left sum by (app) (capacity)',
        "up",
    ],
)
def test_a_witness_asks_for_the_selectors_of_its_query_and_no_others(query: str) -> None:
    witness = witness_of(SignalQuery(query, ("app",)))

    assert witness is not None
    assert selectors_of(witness.text).texts == selectors_of(query).texts


def test_the_oldest_selector_and_the_fewest_targets_count() -> None:
    said: dict[Key, float] = {
        ("a", "newest-0"): 100.0,
        ("a", "newest-1"): 90.0,
        ("a", "targets-0"): 3.0,
        ("a", "targets-1"): 4.0,
    }

    assert _witnessed(said, keys=[("a",)], selectors=2) == ({("a",): 90.0}, {("a",): 3})


def test_a_key_that_one_selector_lacks_is_absent() -> None:
    said: dict[Key, float] = {("a", "newest-0"): 100.0, ("a", "targets-0"): 3.0, ("b", "newest-1"): 100.0}

    assert _witnessed(said, keys=[("a",), ("b",), ("c",)], selectors=2) == ({}, {})


def test_what_was_not_asked_for_is_left_out() -> None:
    said: dict[Key, float] = {
        ("a", "newest-0"): 100.0,
        ("a", "targets-0"): 3.0,
        ("b", "newest-0"): 1.0,
        ("b", "targets-0"): 1.0,
    }

    assert _witnessed(said, keys=[("a",)], selectors=1) == ({("a",): 100.0}, {("a",): 3})


def _witnessed(said: dict[Key, float], *, keys: list[Key], selectors: int) -> tuple[dict[Key, float], dict[Key, int]]:
    witness = Witness("", ("app", "__witness__"), selectors)
    newest, targets = witnessed(witness, Samples(list(said), list(said.values())), keys)
    return dict(newest), dict(targets)

"""Prometheus's JSON, right and wrong, and the class of each refusal."""

from __future__ import annotations

import json
from math import inf, isnan

import pytest

from controller.adapters.prometheus.decode import Failed, Samples, instant, matrix, refusal
from policies.model import Why

A = {"__name__": "x", "app": "a", "pod": "a-1"}
OTHER_A = {**A, "pod": "a-2"}


def test_a_vector_is_keyed_by_the_labels_asked_for_in_their_order() -> None:
    body = _answer("vector", [{"metric": A, "value": [1, "2.5"]}, {"metric": {}, "value": [1, "3"]}])

    assert instant(body, ("pod", "app")) == Samples([("a-1", "a"), ("", "")], [2.5, 3.0])


def test_series_that_share_a_key_are_passed_on_twice() -> None:
    body = _answer("vector", [{"metric": A, "value": [1, "1"]}, {"metric": OTHER_A, "value": [1, "2"]}])

    assert instant(body, ("app",)) == Samples([("a",), ("a",)], [1.0, 2.0])


def test_labels_called_metric_and_value_are_labels() -> None:
    body = _answer("vector", [{"metric": {"metric": "m", "value": "v"}, "value": [1, "1"]}])

    assert instant(body, ("metric", "value")) == Samples([("m", "v")], [1.0])


def test_numbers_that_are_not_finite_are_passed_on_as_served() -> None:
    served = instant(_answer("vector", [{"metric": A, "value": [1, text]} for text in ("NaN", "+Inf", "-Inf")]), ())

    assert isinstance(served, Samples)
    assert isnan(served.values[0])
    assert list(served.values[1:]) == [inf, -inf]


def test_warnings_and_infos_are_kept() -> None:
    body = json.dumps({**json.loads(_answer("vector", [])), "warnings": ["w"], "infos": ["i"]}).encode()

    assert instant(body, ()) == Samples([], [], ("w", "i"))


def test_a_native_histogram_is_passed_over_with_a_warning() -> None:
    samples = instant(_answer("vector", [{"metric": A, "histogram": [1, {}]}, {"metric": A, "value": [1, "1"]}]), ())

    assert isinstance(samples, Samples)
    assert list(samples.values) == [1.0]
    assert "native histograms" in samples.warnings[0]


def test_a_scalar_has_the_empty_key() -> None:
    assert instant(_answer("scalar", [1, "4"]), ()) == Samples([()], [4.0])


@pytest.mark.parametrize(
    ("kind", "result", "labels"),
    [
        pytest.param("scalar", [1, "4"], ("app",), id="one-number-for-many-workloads"),
        pytest.param("string", [1, "text"], (), id="text"),
        pytest.param("matrix", [{"metric": A, "values": [[1, "1"]]}], (), id="a-range"),
    ],
)
def test_answers_of_the_wrong_kind_are_a_fault_of_the_query(
    kind: str, result: list[object], labels: tuple[str, ...]
) -> None:
    failed = instant(_answer(kind, result), labels)

    assert isinstance(failed, Failed)
    assert failed.why is Why.BAD_QUERY


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>Sign in</html>", id="a-page"),
        pytest.param(b'{"status":"success","data":{"resultType":"vector","resu', id="cut-short"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"[" * 100_000, id="too-deep"),
        pytest.param(b'{"status":"success"}', id="no-data"),
        pytest.param(b'{"status":"success","data":{"resultType":"vector","result":null}}', id="no-result"),
        pytest.param(b'{"status":"success","data":{"resultType":"vector","result":[1]}}', id="no-sample"),
        pytest.param(b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', id="no-value"),
        pytest.param(
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}',
            id="a-number-not-in-text",
        ),
        pytest.param(
            b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}',
            id="text-not-a-number",
        ),
        pytest.param(b'{"status":"success","data":{"resultType":"scalar","result":[1]}}', id="half-a-scalar"),
    ],
)
def test_garbage_is_a_fault_of_the_server(body: bytes) -> None:
    failed = instant(body, ())

    assert isinstance(failed, Failed)
    assert failed.why is Why.SOURCE_DOWN


def test_a_range_loses_its_points_that_are_not_finite() -> None:
    body = _answer("matrix", [{"metric": A, "values": [[60, "1"], [120, "NaN"], [180.5, "+Inf"], [240, "2"]]}])

    runs = matrix(body, ("app",))

    assert not isinstance(runs, Failed)
    assert [(run.key, list(run.at_s), list(run.values)) for run in runs] == [(("a",), [60.0, 240.0], [1.0, 2.0])]


@pytest.mark.parametrize(
    ("status", "kind", "why", "told"),
    [
        pytest.param(400, "bad_data", Why.BAD_QUERY, "bad_data: because", id="parse-error"),
        pytest.param(422, "execution", Why.BAD_QUERY, "execution: because", id="execution-error"),
        pytest.param(422, "422", Why.BAD_QUERY, "because", id="victoria-metrics"),
        pytest.param(401, "", Why.SOURCE_DOWN, "credentials were refused", id="unauthorised"),
        pytest.param(403, "", Why.SOURCE_DOWN, "credentials were refused", id="forbidden"),
        pytest.param(404, "", Why.SOURCE_DOWN, "no Prometheus API at this URL", id="not-found"),
        pytest.param(400, "", Why.SOURCE_DOWN, "HTTP 400", id="a-proxy-says-400"),
        pytest.param(429, "too_many_requests", Why.SOURCE_DOWN, "fewer queries", id="too-many-requests"),
        pytest.param(500, "internal", Why.SOURCE_DOWN, "because", id="internal-error"),
        pytest.param(503, "timeout", Why.DEADLINE, "gave the query up", id="server-timeout"),
        pytest.param(502, "", Why.SOURCE_DOWN, "HTTP 502", id="bad-gateway"),
    ],
)
def test_refusals_are_classed(status: int, kind: str, why: Why, told: str) -> None:
    error = json.dumps({"status": "error", "errorType": kind, "error": "because"}) if kind else "<html></html>"

    failed = refusal(status, error.encode())

    assert failed.why is why
    assert told in failed.message


@pytest.mark.parametrize(
    ("detail", "too_much"),
    [
        ("query processing would load too many samples into memory in query execution", True),
        ("exceeded maximum resolution of 11,000 points per timeseries", True),
        ("unknown function with name", False),
    ],
)
def test_it_is_known_when_asking_for_less_may_help(detail: str, too_much: bool) -> None:  # noqa: FBT001 - column of a table
    error = json.dumps({"status": "error", "errorType": "execution", "error": detail})

    assert refusal(422, error.encode()).too_much is too_much


def _answer(kind: str, result: list[object]) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()

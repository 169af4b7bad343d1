"""Selectors found in real-life PromQL, and what in a query keeps its freshness from being known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.adapters.prometheus.promql import selectors_of


@pytest.mark.parametrize(
    ("query", "selectors"),
    [
        pytest.param("up", ["up"], id="bare-name"),
        pytest.param("vllm:num_requests_waiting", ["vllm:num_requests_waiting"], id="vllm-colon-name"),
        pytest.param(
            'sum by (namespace, app) (vllm:num_requests_waiting{model_name="llama-3", namespace=~"ml-.*"})',
            ['vllm:num_requests_waiting{model_name="llama-3",namespace=~"ml-.*"}'],
            id="aggregation-with-grouping-before",
        ),
        pytest.param("sum(rate(x[1m])) by (app)", ["x"], id="aggregation-with-grouping-after"),
        pytest.param("sum without (instance, pod) (x)", ["x"], id="without"),
        pytest.param(
            'sum by (a) (rate(x{y="z"}[1m])) / on (a) group_left sum(capacity) by (a)',
            ['x{y="z"}', "capacity"],
            id="group-left-without-a-list",
        ),
        pytest.param(
            "sum by (pod) (x) * on (pod) group_left (workload) pod_info", ["x", "pod_info"], id="group-left-with-a-list"
        ),
        pytest.param("a / ignoring (code, le) group_right () b", ["a", "b"], id="group-right-with-an-empty-list"),
        pytest.param(
            "histogram_quantile(0.99, sum by (le, app) (rate(vllm:e2e_request_latency_seconds_bucket[5m])))",
            ["vllm:e2e_request_latency_seconds_bucket"],
            id="histogram-quantile",
        ),
        pytest.param("sum(rate(x[5m])) or vector(0)", ["x"], id="or-vector-zero"),
        pytest.param('{__name__="my.metric", app="a"}', ['{__name__="my.metric",app="a"}'], id="no-name"),
        pytest.param('{"my.metric", app="a"}', ['{"my.metric",app="a"}'], id="quoted-name-of-prometheus-3"),
        pytest.param("x{a=\"}{\", b='){', c=`]\\`}", ["x{a=\"}{\",b='){',c=`]\\`}"], id="braces-in-strings"),
        pytest.param(r'x{a="say \"hi\" {y}"}', [r'x{a="say \"hi\" {y}"}'], id="escaped-quotes"),
        pytest.param("# how many {a} wait\nsum(x) # + y\n + z", ["x", "z"], id="comments"),
        pytest.param("x{ # why\n a = 'b' , }", ["x{a='b',}"], id="comment-in-matchers-and-trailing-comma"),
        pytest.param("rate(x[1m]) / rate(x[5m])", ["x"], id="shared-selector-with-two-ranges"),
        pytest.param("x{} + x", ["x"], id="empty-matchers-are-none"),
        pytest.param('x{a="1"} + x{ a = "1" }', ['x{a="1"}'], id="shared-whatever-the-spaces"),
        pytest.param("x > bool 1e3 and y <= +Inf unless z == NaN", ["x", "y", "z"], id="numbers-and-keywords"),
        pytest.param("x * 0x1F - .5 + 1_000 ^ 2 % 7 atan2 y", ["x", "y"], id="numbers-of-all-kinds"),
        pytest.param("-x + -1", ["x"], id="unary-minus"),
        pytest.param("SUM BY (a) (Rate(X[5m])) OR ON (a) Y", ["X", "Y"], id="keywords-in-capitals"),
        pytest.param("topk(5, sum by (app) (x))", ["x"], id="parameter-before-the-operand"),
        pytest.param('count_values by (app) ("version", build_info)', ["build_info"], id="count-values"),
        pytest.param("quantile by (app) (0.9, x)", ["x"], id="quantile"),
        pytest.param("time() - process_start_time_seconds", ["process_start_time_seconds"], id="function-of-nothing"),
        pytest.param("clamp_min(a - b, 0) / scalar(sum(c))", ["a", "b", "c"], id="several-selectors"),
        pytest.param("sum + count / offset", ["sum", "count", "offset"], id="metrics-named-like-keywords"),
        pytest.param('by{a="b"} or {c="d"}', ['by{a="b"}', '{c="d"}'], id="keyword-as-a-metric-beside-a-nameless-one"),
        pytest.param("inf_total + nan_total + Inf", ["inf_total", "nan_total"], id="names-that-begin-like-numbers"),
        pytest.param("job:requests:rate5m", ["job:requests:rate5m"], id="recording-rule"),
        pytest.param("rate(x[1h30m]) > 5m", ["x"], id="durations"),
        pytest.param("rate(x[5m]) keep_metric_names + y", ["x", "y"], id="postfix-of-victoria-metrics"),
        pytest.param("vector(1)", [], id="no-selector"),
        pytest.param("'just {text}'", [], id="string"),
        pytest.param("", [], id="empty"),
    ],
)
def test_the_distinct_selectors_are_found_in_order(query: str, selectors: list[str]) -> None:
    assert list(selectors_of(query).texts) == selectors


@pytest.mark.parametrize(
    ("query", "shifted", "subquery"),
    [
        pytest.param("rate(x[5m])", False, False, id="plain"),
        pytest.param("x offset 5m", True, False, id="offset"),
        pytest.param("rate(x[5m] offset -1h)", True, False, id="negative-offset-after-a-range"),
        pytest.param("x @ 1609746000", True, False, id="at-a-time"),
        pytest.param("rate(x[5m] @ end())", True, False, id="at-the-end"),
        pytest.param("max_over_time(x[1h:5m])", False, True, id="subquery-of-a-selector"),
        pytest.param("max_over_time(sum(rate(x[5m]))[1h:])", False, True, id="subquery-of-an-expression"),
        pytest.param('x{path="a@b", note="offset 5m [1h:5m]"}', False, False, id="signs-in-strings"),
        pytest.param("vllm:x[5m]", False, False, id="colon-in-a-name"),
        pytest.param("offset + 1", False, False, id="metric-named-offset"),
    ],
)
def test_what_moves_a_selector_in_time_is_noticed(query: str, shifted: bool, subquery: bool) -> None:  # noqa: FBT001 - column of a table
    seen = selectors_of(query)

    assert (seen.shifted, seen.subquery) == (shifted, subquery)


def test_functions_are_told_from_metrics() -> None:
    seen = selectors_of('Label_Replace(sum by (a) (rate (x[5m])), "b", "$1", "a", "(.*)")')

    assert seen.functions == {"label_replace", "sum", "rate"}
    assert seen.texts == ("x",)


@given(st.text(alphabet="ab{}[]()\"'`#:@,.=~ \\\n1m"))
def test_any_text_is_read_to_its_end(text: str) -> None:
    assert all(isinstance(selector, str) for selector in selectors_of(text).texts)

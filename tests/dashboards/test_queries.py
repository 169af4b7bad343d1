"""What the dashboards' PromQL means, asked of promtool."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import foreign, queries
from dashboards.board import Drawn
from dashboards.decided import DECISIONS, WHO_ELSE
from dashboards.serving import MODEL_SERVER
from policies import signals
from tests.alerts.promtool import promtool
from tests.dashboards.boards import FILLED_IN, filled_in


def _query(drawn: Drawn, place: int) -> str:
    return drawn.sheet.queries[place].expr


CHAT = 'namespace="shop",workload="chat"'


@pytest.mark.server("prometheus")
@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        pytest.param(
            queries.sum_of_workloads(signals.DESIRED_REPLICAS),
            [{"labels": "{}", "value": 7}],  # chat 4, counted once, and search 3; not bulk of the other namespace
            id="a-workload-that-two-instances-export-is-counted-once",
        ),
        pytest.param(
            queries.sum_of_workloads(signals.CANDIDATE_REPLICAS, "candidate"),
            [{"labels": '{candidate="in_charge"}', "value": 10}, {"labels": '{candidate="incumbent"}', "value": 13}],
            id="each-candidate-has-its-own-sum",
        ),
        pytest.param(
            queries.how_many(signals.EVIDENCE, ">= 1"),
            [{"labels": "{}", "value": 1}],
            id="a-workload-without-evidence-is-not-counted",
        ),
        pytest.param(
            queries.age(signals.LOOP_LAST_SUCCESS, "cluster"),
            [{"labels": '{cluster="a"}', "value": 300}],  # minute 10 less minute 5; b has not ticked since its start
            id="never-has-no-age",
        ),
        pytest.param(
            queries.told_before("5m", "0.5"),
            # Told at minute 5: 10. It is about minute 10, whose load is 8.
            [{"labels": '{namespace="shop", workload="chat"}', "value": 10}],
            id="what-was-told-stands-at-the-time-it-is-about",
        ),
        pytest.param(
            queries.missed("bias", "5m"),
            [{"labels": "{}", "value": 0.25}],  # (10 - 8) / 8
            id="too-much-told-is-a-bias-above-0",
        ),
        pytest.param(
            queries.missed("error", "5m", by_workload=True),
            [{"labels": '{namespace="shop", workload="chat"}', "value": 0.25}],
            id="an-error-is-a-share-of-the-load",
        ),
        pytest.param(queries.missed("coverage", "5m"), [{"labels": "{}", "value": 1}], id="eight-lies-below-twelve"),
        pytest.param(
            f"{queries.changed_just_now('other')}",
            [{"labels": "{}", "value": 0}],  # nobody else has ever changed it
            id="never-changed-is-told-as-no-change",
        ),
        pytest.param(
            queries.changed_just_now("foresail"),
            [{"labels": "{}", "value": 1}],  # at 580 s, within the minute before minute 10
            id="a-change-within-the-step-is-one",
        ),
    ],
)
def test_a_query_means_what_its_panel_says(expr: str, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    series = {
        f'foresail_desired_replicas{{{CHAT},pod="x"}}': "4x20",
        f'foresail_desired_replicas{{{CHAT},pod="y"}}': "4x20",
        'foresail_desired_replicas{namespace="shop",workload="search"}': "3x20",
        'foresail_desired_replicas{namespace="batch",workload="bulk"}': "9x20",
        f'foresail_candidate_replicas{{{CHAT},candidate="in_charge"}}': "7x20",
        'foresail_candidate_replicas{namespace="shop",workload="search",candidate="in_charge"}': "3x20",
        f'foresail_candidate_replicas{{{CHAT},candidate="incumbent"}}': "9x20",
        'foresail_candidate_replicas{namespace="shop",workload="search",candidate="incumbent"}': "4x20",
        f"foresail_tournament_evidence_ratio{{{CHAT}}}": "1x20",
        'foresail_tournament_evidence_ratio{namespace="shop",workload="search"}': "0.5x20",
        f"foresail_load_replicas{{{CHAT}}}": "8x20",
        f'foresail_outlook_replicas{{{CHAT},horizon="5m",quantile="0.5"}}': "10x5 99x15",
        f'foresail_outlook_replicas{{{CHAT},horizon="5m",quantile="0.9"}}': "12x20",
        f'foresail_replicas_changed_timestamp_seconds{{{CHAT},by="foresail"}}': "580x20",
        'foresail_loop_last_success_timestamp_seconds{cluster="a"}': "0+60x5 300x20",
        'foresail_loop_last_success_timestamp_seconds{cluster="b"}': "0x20",
    }
    _passes({}, series, {"expr": expr, "eval_time": "10m", "exp_samples": expected}, tmp_path)


@pytest.mark.server("prometheus")
@pytest.mark.parametrize(
    ("expr", "at", "expected"),
    [
        pytest.param(_query(DECISIONS, 0), "6m", [{"labels": "{}", "value": 9}], id="a-decision-where-it-was-made"),
        pytest.param(_query(DECISIONS, 1), "6m", [{"labels": "{}", "value": 4}], id="with-what-was-before"),
        pytest.param(
            _query(DECISIONS, 4), "6m", [{"labels": '{reason="forecast"}', "value": 1}], id="and-its-reason-alone"
        ),
        pytest.param(_query(DECISIONS, 0), "7m", [], id="and-nowhere-else"),
        pytest.param(_query(DECISIONS, 0), "0m", [], id="the-first-sample-is-no-decision"),
        pytest.param(
            foreign.STARTED,
            "6m",
            [{"labels": '{namespace="shop", pod="chat-2"}', "value": 90}],  # created at 250 s, ready at 340 s
            id="a-start-counts-when-the-pod-became-ready",
        ),
        pytest.param(
            _query(MODEL_SERVER[0], 0),
            "6m",
            [{"labels": "{}", "value": 5}],
            id="ranks-of-sglang-count-once",
        ),
        pytest.param(foreign.STARTED, "7m", [], id="and-no-second-time"),
        pytest.param(_query(WHO_ELSE, 1), "6m", [{"labels": "{}", "value": 2}], id="an-hpa-on-what-is-active-is-red"),
        pytest.param(_query(WHO_ELSE, 2), "6m", [{"labels": "{}", "value": 0}], id="of-keda-it-is-not"),
        pytest.param(_query(WHO_ELSE, 3), "6m", [{"labels": "{}", "value": 2}], id="changed-by-both-is-red"),
        pytest.param(_query(WHO_ELSE, 3), "19m", [{"labels": "{}", "value": 0}], id="but-not-for-ever"),
        pytest.param(_query(WHO_ELSE, 0), "6m", [{"labels": "{}", "value": 0}], id="nobody-owns-it"),
        pytest.param(
            queries.paused_by_people(of=queries.EACH),
            "12m",
            [{"labels": "{}", "value": 0}, {"labels": '{namespace="shop", workload="chat"}', "value": 1}],
            id="a-pause-by-the-api-is-one",
        ),
        pytest.param(queries.fixed_by_people(), "6m", [{"labels": "{}", "value": 1}], id="a-count-fixed-at-0-is-fixed"),
    ],
)
def test_what_tells_of_moments(expr: str, at: str, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    pod = 'namespace="shop",pod="chat-{}"'
    hpa = 'namespace="shop",horizontalpodautoscaler="chat",scaletargetref_name="chat"'
    series = {
        f"foresail_recommended_replicas{{{CHAT}}}": "4x5 9x20",
        f"foresail_desired_replicas{{{CHAT}}}": "4x20",
        f'foresail_decision_reason{{{CHAT},reason="forecast"}}': "1x20",
        f'foresail_decision_reason{{{CHAT},reason="paused_by_operator"}}': "_x10 1x10",
        f'foresail_fixed_replicas{{{CHAT},by="override"}}': "0x20",
        f'foresail_workload_info{{{CHAT},mode="active",in_charge="largest"}}': "1x20",
        f'foresail_replicas_changed_timestamp_seconds{{{CHAT},by="foresail"}}': "200x20",
        f'foresail_replicas_changed_timestamp_seconds{{{CHAT},by="other"}}': "240x20",
        f"kube_horizontalpodautoscaler_info{{{hpa}}}": "1x20",
        f'sglang:num_queue_reqs{{{pod.format(1)},tp_rank="0"}}': "2x20",
        f'sglang:num_queue_reqs{{{pod.format(1)},tp_rank="1"}}': "2x20",
        f"sglang:num_queue_reqs{{{pod.format(2)}}}": "3x20",
        'kube_deployment_status_replicas{namespace="shop",deployment="chat"}': "4x20",
        f"kube_pod_created{{{pod.format(1)}}}": "10x20",
        f"kube_pod_status_ready_time{{{pod.format(1)}}}": "50x20",
        f"kube_pod_created{{{pod.format(2)}}}": "250x20",
        f"kube_pod_status_ready_time{{{pod.format(2)}}}": "_x6 340x20",
    }
    _passes({"$workload": "chat"}, series, {"expr": expr, "eval_time": at, "exp_samples": expected}, tmp_path)


def _passes(values: dict[str, str], series: dict[str, str], test: dict[str, Any], folder: Path) -> None:
    """Fail the test where promtool does not find what is expected; a minute passes between samples."""
    asked = {**test, "expr": filled_in(test["expr"], FILLED_IN | values)}
    document = {
        "rule_files": [],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [asked],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    code, output = promtool("test", "rules", path)
    assert code == 0, output


def test_a_query_by_a_label_that_the_metric_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="foresail_safe_mode has no label workload"):
        queries.largest(signals.SAFE_MODE, "workload")

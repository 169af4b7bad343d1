"""Rules that policies with an SLO bring: what they ask is judged by Prometheus' own evaluator."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import SLO_FILE, files
from controller.policy_text import parse_policies
from policies.spec import WorkloadPolicy
from tests.alerts.promtool import promtool

POLICY = """
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata: {name: chat, namespace: shop}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: chat}
  replicas: {min: 1, max: 9}
  signals:
    - name: rps
      kind: demand
      query: sum by (app) (rate(hits_total[2m]))
      match: {app: $name}
      capacityPerReplica: 10
    - {name: slow, kind: late, query: 'sum by (app, note) (slow_ratio)', match: {app: $name, note: 'a "b" $1'}}
    - {name: failed, kind: late, query: 'failed{app="$name"} / seen{app="$name"}'}
  objective: {slo: {target: 0.999, window: 30d}}
"""


def _policies(text: str = POLICY) -> tuple[WorkloadPolicy, ...]:
    return parse_policies(text, source="here")


def test_policies_without_an_slo_or_without_a_late_signal_bring_nothing() -> None:
    without_slo = POLICY.replace("objective: {slo: {target: 0.999, window: 30d}}", "objective: {late: 0.01}")
    without_late = "\n".join(line for line in POLICY.splitlines() if "kind: late" not in line)
    assert SLO_FILE not in files(policies=())
    assert SLO_FILE not in files(policies=_policies(without_slo))
    assert SLO_FILE not in files(policies=_policies(without_late))


def test_a_group_for_each_namespace_whatever_the_order_of_the_policies() -> None:
    (chat,) = _policies()
    (other,) = _policies(POLICY.replace("namespace: shop", "namespace: bank"))
    text = files(policies=(chat, other))[SLO_FILE]
    assert [group["name"] for group in yaml.safe_load(text)["groups"]] == ["foresail-slo-bank", "foresail-slo-shop"]
    assert text == files(policies=(other, chat))[SLO_FILE]


@pytest.mark.server("prometheus")
@pytest.mark.parametrize(
    ("failed", "seen", "late"),
    [
        pytest.param("1x20", "100x20", 0.04, id="the-largest-of-several-late-signals-counts"),
        pytest.param("20x20", "100x20", 0.2, id="whichever-it-is"),
        pytest.param("0x20", "0x20", 0.04, id="one-that-is-no-number-is-left-out"),
    ],
)
def test_what_is_recorded_of_a_policy(failed: str, seen: str, late: float, tmp_path: Path) -> None:
    series = {
        'hits_total{app="chat"}': "0+600x20",
        'hits_total{app="other"}': "0+6000x20",
        'slow_ratio{app="chat",note="a \\"b\\" $1"}': "0.04x20",
        'slow_ratio{app="chat",note="another"}': "0.9x20",
        'failed{app="chat"}': failed,
        'seen{app="chat"}': seen,
    }
    # 0.001 of 720 hours; 600 requests a minute are 10 a second.
    expected = {"slo_budget:hours": 0.72, "slo_late:ratio": late, "slo_load": 10, "slo_load:late": 10 * late}
    _judge(tmp_path, series, {f"namespace_workload:{name}": value for name, value in expected.items()})


@pytest.mark.server("prometheus")
def test_nothing_is_judged_while_nothing_comes(tmp_path: Path) -> None:
    series = {
        'hits_total{app="chat"}': "600x20",
        'failed{app="chat"}': "0x20",
        'seen{app="chat"}': "0x20",
    }
    names = ("slo_late:ratio", "slo_load", "slo_load:judged", "slo_late:ratio_rate5m")
    _judge(tmp_path, series, {f"namespace_workload:{name}": None for name in names})


def _judge(folder: Path, series: dict[str, str], expected: dict[str, float | None]) -> None:
    """Evaluate all rules on the series, and compare what is recorded after a quarter of an hour."""
    texts = files(policies=_policies())
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [_sample(name, value) for name, value in expected.items()],
    }
    script = {"rule_files": list(texts), "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    code, output = promtool("test", "rules", folder / "test.yaml")
    assert code == 0, output


def _sample(name: str, value: float | None) -> dict[str, Any]:
    told = [] if value is None else [{"labels": f'{name}{{namespace="shop",workload="chat"}}', "value": value}]
    return {"expr": name, "eval_time": "15m", "exp_samples": told}

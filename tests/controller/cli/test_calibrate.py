"""`foresail calibrate` on history files: figures, exit codes, and what is refused."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from controller.calibration.questions import Own, Preset, Unit, Wording, Workload, questions_of
from policies.calibration.history import Kind
from tests.controller.cli.shared import run
from tests.policies.calibration.servers import Server, daily_load

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = Server().limit_per_s(0.03, 0.95)

POLICY = """\
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata: {name: chat, namespace: llm}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: chat}
  replicas: {max: 9}
  signals:
    - {name: tokens, kind: demand, query: "sum(rate(tokens_total[2m]))", capacityPerReplica: 2500}
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a server whose limit for 30 ms at p95 is 1234 tokens a second."""
    seen = Server().history(daily_load(900, 0.5, windows=2_880, seed=3), seed=4)
    itl = seen.latencies[0]
    path = tmp_path_factory.mktemp("history") / "chat.csv"
    bounds = [f"itl_le_{bound:g}" for bound in itl.bounds_s]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "throughput", "replicas", "itl_sum", *bounds])
        for row in range(seen.at_s.size):
            rows.writerow(
                [seen.at_s[row], seen.served_per_s[row], seen.replicas[row], itl.sum_ratio[row], *itl.below_per_s[row]]
            )
    return path


def test_figures_as_json(history: Path) -> None:
    done = run("calibrate", "--history", str(history), "--objective", "itl=30ms@p95", "-o", "json")

    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kind"] == "Calibration"
    assert found["objectives"][0]["limit"]["low"] < LIMIT < found["objectives"][0]["limit"]["high"]
    assert found["curve"]["baseSeconds"]["low"] < 0.012 < found["curve"]["baseSeconds"]["high"]
    assert found["declare"]["servingLimit"] == 1
    assert found["declare"]["capacityPerReplica"] == pytest.approx(LIMIT, rel=0.05)
    assert yaml.safe_load(found["policyText"]) == {
        name: found["declare"][name] for name in ("capacityPerReplica", "servingLimit")
    }


def test_the_table_ends_with_what_to_declare(history: Path) -> None:
    done = run("calibrate", "--history", str(history), "--objective", "itl=30ms@p95")

    assert done.exit_code == 0, done.stderr
    assert "load in time, itl=30ms@p95" in done.stdout
    assert "capacityPerReplica: 12" in done.stdout


def test_a_policy_that_is_contradicted_ends_with_3(history: Path, tmp_path: Path) -> None:
    """2500 at the default serving limit of 0.8 are 2000 in time."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    done = run("calibrate", "--history", str(history), "--objective", "itl=30ms@p95", "--policy", str(policy))

    assert done.exit_code == 3
    assert "contradicted: by capacityPerReplica and servingLimit 2000 per replica are served in time" in done.stdout


def test_what_is_declared_can_be_given_alone(history: Path) -> None:
    arguments = ["calibrate", "--history", str(history), "--objective", "itl=30ms@p95", "-o", "yaml"]
    done = run(*arguments, "--declared", "1230", "--serving-limit", "1")

    assert done.exit_code == 0, done.stderr
    assert yaml.safe_load(done.stdout)["findings"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the name of a workload, or --history FILE"),
        (["chat", "--history", "x.csv"], "give the name of a workload, or --history FILE"),
        (["chat", "--objective", "itl=30"], "such as ttft=500ms@p95"),
        (["chat", "--histogram", "cpu=x"], "must be ttft, itl or latency"),
        (["chat", "--window", "90x"], "must be a duration"),
        pytest.param(["chat", "--window", "0s"], "--window: must be 1s or longer, not '0s'", id="no-window"),
        pytest.param(["chat", "--days", "inf"], "--days", id="days-without-end"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    done = run("calibrate", *arguments)

    assert done.exit_code == 2
    assert message in done.stderr


def test_an_objective_that_the_history_cannot_tell_is_an_error(history: Path) -> None:
    done = run("calibrate", "--history", str(history), "--objective", "ttft=1s@p95")

    assert done.exit_code == 1
    assert "the history has no histogram of ttft (it has itl)" in done.stderr


def test_what_is_asked_of_a_vllm_by_pod() -> None:
    asked = questions_of(
        Workload("llm", "chat"),
        Wording(Preset.VLLM, Unit.OUTPUT_TOKENS, 120, "pod"),
        Own({"waiting": 'sum(queue{ns="$namespace"})'}, {Kind.TTFT: 'first{app="$name"}'}),
    )

    pods = 'namespace="llm", pod=~"chat-.*"'
    assert asked.columns["throughput"].text == f"sum by (pod) (rate(vllm:generation_tokens_total{{{pods}}}[120s]))"
    assert asked.columns["replicas"].text == f"count by (pod) (count by (pod) (vllm:num_requests_running{{{pods}}}))"
    assert asked.columns["waiting"].text == 'sum(queue{ns="llm"})'
    assert asked.buckets[Kind.ITL].labels == ("le", "pod")
    assert asked.buckets[Kind.TTFT].text == 'sum by (le, pod) (rate(first_bucket{app="chat"}[120s]))'
    assert len(asked.distinct()) == 10


def test_ranks_of_sglang_are_counted_once() -> None:
    asked = questions_of(Workload("llm", "chat"), Wording(Preset.SGLANG, Unit.REQUESTS, 120), Own({}, {}))

    assert asked.columns["throughput"].text == (
        'sum (rate(sglang:num_requests_total{namespace="llm", pod=~"chat-.*", tp_rank="0"}[120s]))'
    )

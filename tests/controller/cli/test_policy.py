"""`foresail policy`: what is checked, what is printed to begin with, and what makes an autoscaler follow."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from controller.policy_text import parse_policies
from policies.engine import decide
from policies.hpa.metrics import propose
from policies.state import EngineState
from tests.conformance.cases import Vector
from tests.conformance.lanes import fleet_of_vector, observation_of
from tests.controller.cli.shared import run

GOOD = """
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata: {name: shop, namespace: web}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: shop-server}
  mode: floor
  replicas:
    min: 2
    max: 20
    schedules:
      - {cron: "0 8 * * *", duration: 10h, min: 6, max: 60}
      - {cron: "0 0 * * SUN", duration: 1d, min: 1}
  signals:
    - {name: rps, kind: demand, query: "sum(rate(r[1m]))", capacityPerReplica: 50}
"""
BY_CPU = GOOD.replace("capacityPerReplica: 50", "capacityFromRequest: {resource: cpu, container: main}").replace(
    '"sum(', '"sum by (pod) ('
)
BAD = GOOD.replace("min: 2", "min: 25").replace("kind: demand", "kind: demnd")


@pytest.fixture
def good(tmp_path: Path) -> str:
    return _written(tmp_path / "good.yaml", GOOD)


def _written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_valid_policies_are_listed(good: str) -> None:
    done = run("policy", "validate", good)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split() == ["web", "shop", "floor", "Deployment/shop-server", good]


def test_a_signal_of_gpu_utilisation_is_warned_of_and_valid(tmp_path: Path) -> None:
    text = GOOD.replace("sum(rate(r[1m]))", "sum(DCGM_FI_DEV_GPU_UTIL{pod=~'shop-.*'})")
    done = run("policy", "validate", _written(tmp_path / "gpu.yaml", text))
    assert done.exit_code == 0
    assert done.stderr == (
        f"warning: {tmp_path / 'gpu.yaml'}: spec.signals[0].query: signal rps of web/shop reads DCGM_FI_DEV_GPU_UTIL,"
        " which means that a kernel ran: 100 % may be one small request at a time; read the server's queue, KV cache or"
        " requests instead, or DCGM_FI_PROF_SM_ACTIVE\n"
    )
    shown = json.loads(run("policy", "validate", str(tmp_path / "gpu.yaml"), "-o", "json").stdout)
    told = [(each["source"], each["path"], set(each)) for each in shown["warnings"]]
    assert told == [(str(tmp_path / "gpu.yaml"), "spec.signals[0].query", {"source", "path", "message"})]
    assert shown["valid"]
    assert "cautions" not in shown


def test_every_problem_is_listed_and_the_exit_code_is_3(good: str, tmp_path: Path) -> None:
    bad = _written(tmp_path / "bad.yaml", BAD)
    done = run("policy", "validate", good, bad, str(tmp_path / "absent.yaml"))
    assert (done.exit_code, done.stderr) == (3, "3 problems\n")
    assert f"{bad}: spec.replicas: min (25) is above max (20)" in done.stdout
    assert f"{bad}: spec.signals[0].kind: must be demand, pressure or late, not 'demnd'" in done.stdout
    assert "absent.yaml: cannot be read: No such file or directory" in done.stdout


def test_budgets_are_listed_beside_policies(good: str, tmp_path: Path) -> None:
    text = "{apiVersion: foresail.dev/v1alpha1, kind: Budget, metadata: {name: gpus}, spec: {namespace: web, gpus: 8}}"
    caps = _written(tmp_path / "caps.yaml", text)
    done = run("policy", "validate", good, caps)
    assert (done.exit_code, done.stdout.splitlines()[-1].split()) == (0, ["web", "gpus", "Budget", caps])
    document = json.loads(run("policy", "validate", caps, "-o", "json").stdout)
    assert document["budgets"] == [{"namespace": "web", "name": "gpus", "source": caps}]
    bad = run("policy", "validate", _written(tmp_path / "bad.yaml", text.replace("gpus: 8", "gpu: 8")))
    assert bad.exit_code == 3
    assert "spec.gpu: is not a field here (did you mean gpus?)" in bad.stdout


def test_problems_as_json(good: str) -> None:
    done = run("policy", "validate", good, good, "-o", "json")
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert (document["apiVersion"], document["kind"]) == ("foresail.dev/v1alpha1", "PolicyValidation")
    assert not document["valid"]
    assert document["problems"][0]["path"] == "metadata.name"
    assert document["policies"][0]["mode"] == "floor"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "stdin: holds no policy", id="empty"),
        pytest.param("a: [", "stdin: line 2", id="no YAML"),
    ],
)
def test_what_holds_no_policy_is_a_problem(text: str, words: str) -> None:
    done = run("policy", "validate", "-", stdin=text)
    assert done.exit_code == 3
    assert words in done.stdout


def test_a_folder_without_policies_is_a_problem(tmp_path: Path) -> None:
    done = run("policy", "validate", str(tmp_path))
    assert (done.exit_code, done.stdout) == (3, f"{tmp_path}: is a folder without .yaml or .yml files\n")


def test_a_policy_to_begin_with_is_valid_and_in_shadow() -> None:
    done = run("policy", "init")
    assert done.exit_code == 0
    assert "# " in done.stdout
    (policy,) = parse_policies(done.stdout, source="init")
    assert (policy.uid, policy.spec.mode, policy.spec.target.kind) == ("default/my-server", "shadow", "Deployment")
    assert run("policy", "validate", "-", stdin=done.stdout).exit_code == 0


def test_a_policy_to_begin_with_takes_what_is_known() -> None:
    target = "serving.kserve.io/v1beta1/InferenceService/llm"
    query = 'sum(rate(tokens_total{model="a\'b"}[1m]))'
    done = run("policy", "init", "-n", "ml", "--target", target, "--query", query, "--capacity", "2500", "--max", "40")
    (policy,) = parse_policies(done.stdout, source="init")
    assert (policy.uid, policy.spec.target.api_version) == ("ml/llm", "serving.kserve.io/v1beta1")
    assert (policy.spec.signals[0].query, policy.spec.replicas.max) == (query, 40)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("--target", "llm"), "neither KIND/NAME", id="target"),
        pytest.param(("--target", "Rollout/llm"), "neither KIND/NAME", id="kind of an unknown API"),
        pytest.param(("--min", "5", "--max", "2"), "min (5) is above max (2)", id="bounds"),
        pytest.param(("--capacity", "much"), "capacityPerReplica", id="capacity"),
    ],
)
def test_a_policy_to_begin_with_cannot_be_wrong(options: tuple[str, ...], words: str) -> None:
    done = run("policy", "init", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.replace("│", " ").split())


def _floor(tmp_path: Path, text: str, form: str) -> Any:  # noqa: ANN401 - a YAML document
    done = run("policy", "floor", _written(tmp_path / "policy.yaml", text), "--as", form)
    assert (done.exit_code, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)


def test_the_hpa_of_a_policy(tmp_path: Path) -> None:
    hpa = _floor(tmp_path, GOOD, "hpa")
    assert (hpa["apiVersion"], hpa["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert hpa["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-server"}
    # The widest bounds of the policy and its schedules.
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 60)
    (metric,) = hpa["spec"]["metrics"]
    assert metric["external"]["metric"] == {
        "name": "foresail_recommended_replicas",
        "selector": {"matchLabels": {"namespace": "web", "workload": "shop"}},
    }


def test_the_hpa_keeps_its_own_metric_at_a_looser_target(tmp_path: Path) -> None:
    hpa = _floor(tmp_path, BY_CPU, "hpa")
    own = hpa["spec"]["metrics"][1]["containerResource"]
    assert (own["name"], own["container"], own["target"]["averageUtilization"]) == ("cpu", "main", 90)


def _external(target: dict[str, str], *, current: int, recommended: int) -> Vector:
    """A vector of the conformant rule: `current` ready pods, and an external metric that says `recommended`."""
    pod = {
        "phase": "Running",
        "deleted": False,
        "ready": True,
        "started_age_s": 3600.0,
        "transition_age_s": 3500.0,
        "request_milli": None,
        "sample_age_s": None,
        "sample_window_s": None,
        "usage_milli": None,
    }
    per_pod = target["type"] == "AverageValue"
    milli = 1000 * int(target["averageValue"])
    return {
        "metric_type": "ExternalPerPod" if per_pod else "External",
        "resource": None,
        "target": {"average_value_milli" if per_pod else "value_milli": milli},
        "metric_values_milli": [1000 * recommended],
        "orphan_samples_milli": [],
        "pods": [pod] * current,
        "spec_replicas": current,
        "status_replicas": current,
        "tolerance_up": 0.1,
        "tolerance_down": 0.1,
        "min_replicas": 1,
        "max_replicas": 60,
    }


@pytest.mark.parametrize(
    ("current", "recommended", "expected"),
    [
        pytest.param(4, 7, 7, id="rises to the recommendation"),
        pytest.param(2, 50, 50, id="rises to it from far below"),
        pytest.param(9, 3, 3, id="falls to it"),
        pytest.param(9, 10, 10, id="follows by one below ten"),
        pytest.param(20, 22, 20, id="stays within a tenth, as the comment says"),
        pytest.param(20, 23, 23, id="follows beyond a tenth"),
    ],
)
def test_the_conformant_rule_follows_the_recommendation(
    tmp_path: Path, current: int, recommended: int, expected: int
) -> None:
    target = _floor(tmp_path, GOOD, "hpa")["spec"]["metrics"][0]["external"]["target"]
    vector = _external(target, current=current, recommended=recommended)
    fleet = fleet_of_vector(vector)
    proposed = propose(fleet, observation_of(vector)).replicas
    assert proposed[0] == expected


def test_the_rise_to_the_recommendation_takes_one_step(tmp_path: Path) -> None:
    hpa = _floor(tmp_path, GOOD, "hpa")["spec"]
    up, down = hpa["behavior"]["scaleUp"], hpa["behavior"]["scaleDown"]
    rates = [
        {"type": each["type"], "value": each["value"], "period_s": each["periodSeconds"]} for each in up["policies"]
    ]
    vector = _external(hpa["metrics"][0]["external"]["target"], current=2, recommended=50)
    vector["behavior"] = {
        "scale_up": {"stabilization_s": up["stabilizationWindowSeconds"], "select": "Max", "policies": rates},
        "scale_down": {"stabilization_s": down["stabilizationWindowSeconds"], "select": "Max", "policies": []},
    }
    fleet, seen = fleet_of_vector(vector), observation_of(vector)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen)
    assert decision.replicas.target[0] == 50
    # An hour of nothing but the API's default rates would have allowed max(2 * 2, 2 + 4) = 6 in this step.
    bare = replace(fleet, behavior=replace(fleet.behavior, given=np.zeros(1, np.bool_)))
    assert decide(bare, EngineState.fresh(bare), seen)[1].replicas.target[0] < 50


def test_the_scaled_object_of_a_policy(tmp_path: Path) -> None:
    scaled = _floor(tmp_path, BY_CPU, "scaledobject")
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == (1, 60)
    trigger, own = scaled["spec"]["triggers"]
    assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
    assert trigger["metadata"]["query"] == 'max(foresail_recommended_replicas{namespace="web",workload="shop"})'
    assert (trigger["metadata"]["threshold"], trigger["metadata"]["ignoreNullValues"]) == ("1", "false")
    assert own == {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "90", "containerName": "main"}}


def test_the_rule_of_the_adapter(tmp_path: Path) -> None:
    (rule,) = _floor(tmp_path, GOOD, "adapter")["externalRules"]
    assert rule["seriesQuery"] == 'foresail_recommended_replicas{namespace!="",workload!=""}'
    assert rule["resources"] == {"overrides": {"namespace": {"resource": "namespace"}}}
    assert rule["metricsQuery"] == "max(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"


def test_several_policies_make_several_documents(good: str, tmp_path: Path) -> None:
    other = _written(tmp_path / "other.yaml", BY_CPU.replace("shop", "till"))
    documents = list(yaml.safe_load_all(run("policy", "floor", good, other).stdout))
    assert [each["metadata"]["name"] for each in documents] == ["shop", "till"]


def test_a_policy_that_is_not_in_floor_is_noted_on_stderr(tmp_path: Path) -> None:
    path = _written(tmp_path / "active.yaml", GOOD.replace("mode: floor", "mode: active"))
    done = run("policy", "floor", path)
    assert done.exit_code == 0
    assert "web/shop: spec.mode is active, not floor" in done.stderr


def test_no_autoscaler_for_a_policy_with_problems(tmp_path: Path) -> None:
    done = run("policy", "floor", _written(tmp_path / "bad.yaml", BAD))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "min (25) is above max (20)" in done.stderr

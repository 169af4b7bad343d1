"""`foresail policy import`: what each autoscaler becomes, that nothing is dropped in silence, and the way back."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controller.policy_text import parse_policies
from policies.plain_hpa import plain_hpa
from tests.controller.cli.shared import run
from tests.controller.migration import examples, examples_keda_vpa

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.controller.migration.examples import Example

EXAMPLES = (*examples.EXAMPLES, *examples_keda_vpa.EXAMPLES)
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)

HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 10
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
"""
KEDA = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {name: web}
  minReplicaCount: 1
  triggers:
    - {type: prometheus, metadata: {query: "sum(rate(a[1m]))", threshold: "70"}}
"""


def imported(text: str, *options: str) -> tuple[dict[str, Any], Result]:
    done = run("policy", "import", "-f", "-", "-o", "json", *options, stdin=dedent(text))
    return (json.loads(done.stdout) if done.stdout else {}), done


def policies_of(text: str, *options: str) -> Result:
    return run("policy", "import", "-f", "-", *options, stdin=dedent(text))


@each_example
def test_an_autoscaler_becomes_a_policy_in_shadow(example: Example) -> None:
    document, done = imported(example.given)
    assert done.exit_code == 0, done.stderr
    [item] = document["items"]
    spec = item["policy"]["spec"]
    assert spec.pop("mode") == "shadow"
    expected = yaml.safe_load(example.spec)
    assert spec == {**expected, "replicas": {"min": 1, **expected["replicas"]}}
    assert [each["path"] for each in item["noCounterpart"]] == list(example.lost)
    assert [f"no counterpart: {path}: " in done.stderr for path in example.lost] == [True] * len(example.lost)


@each_example
def test_what_is_printed_is_valid_and_says_the_same(example: Example) -> None:
    document, _ = imported(example.given)
    text = policies_of(example.given).stdout
    [policy] = parse_policies(text, source="import")
    [item] = document["items"]
    assert parse_policies(yaml.safe_dump(item["policy"]), source="json") == (policy,)
    assert (policy.spec.mode, policy.document()["spec"]) == ("shadow", yaml.safe_load(example.spec))
    assert run("policy", "validate", "-", stdin=text).exit_code == 0
    comments = [line for line in text.splitlines() if line.startswith("# - ")]
    assert len(comments) == len(item["noCounterpart"]) + len(item["assumed"])


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.handed_back], ids=lambda example: example.name)
def test_handing_back_gives_the_same_bounds_and_metrics(example: Example) -> None:
    [policy] = parse_policies(policies_of(example.given).stdout, source="import")
    made = plain_hpa(policy)["spec"]
    assert isinstance(made, dict)
    del made["scaleTargetRef"]
    assert made == yaml.safe_load(example.handed_back or "")


def _with(text: str, path: str, value: object) -> str:
    """The document with a field at a dotted path."""
    document = yaml.safe_load(text)
    *places, last = path.split(".")
    inside = document
    for place in places:
        inside = inside[int(place)] if isinstance(inside, list) else inside.setdefault(place, {})
    inside[last] = value
    return yaml.safe_dump(document)


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        pytest.param(HPA, "spec.whim", "spec.whim", id="of-an-hpa"),
        pytest.param(KEDA, "spec.whim", "spec.whim", id="of-a-scaled-object"),
        pytest.param(KEDA, "spec.advanced.whim", "spec.advanced.whim", id="of-its-advanced-part"),
        pytest.param(KEDA, "spec.scaleTargetRef.whim", "spec.scaleTargetRef.whim", id="of-its-target"),
        pytest.param(KEDA, "spec.triggers.0.whim", "spec.triggers[0].whim", id="of-a-trigger"),
        pytest.param(KEDA, "spec.triggers.0.metadata.whim", "spec.triggers[0].metadata.whim", id="of-its-metadata"),
    ],
)
@pytest.mark.parametrize("value", [1, 0, "x", True, [1], {"a": 1}], ids=repr)
def test_a_field_that_nobody_knows_is_named(text: str, path: str, told: str, value: object) -> None:
    document, done = imported(_with(text, path, value))
    assert told in [each["path"] for each in document["items"][0]["noCounterpart"]]
    assert f"{told}: has no counterpart in a policy" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            HPA.replace("averageUtilization: 60", "averageUtilization: 150"),
            "spec.metrics[0]: its 150 % of the request is above 100 %",
            id="more-than-the-request",
        ),
        pytest.param(HPA.replace("maxReplicas", "minReplicas: 0\n  maxReplicas"), "may go to zero", id="zero"),
        pytest.param(
            _with(HPA, "spec.behavior.scaleUp.selectPolicy", "Often"),
            "spec.behavior: its behavior cannot be read",
            id="behavior",
        ),
        pytest.param(
            _with(HPA, "metadata.annotations", {"autoscaling.alpha.kubernetes.io/metrics": "[]"}),
            "import it as autoscaling/v2",
            id="annotations-of-v1",
        ),
        pytest.param(
            _with(HPA, "metadata.labels", {"argocd.argoproj.io/instance": "shop"}),
            "Argo CD applies this autoscaler: take it out of Git before mode active, and for its target remove"
            " spec.replicas from the manifest, or add the JSON pointer /spec/replicas to ignoreDifferences",
            id="argo-cd",
        ),
        pytest.param(
            _with(HPA, "metadata.labels", {"kustomize.toolkit.fluxcd.io/name": "shop"}),
            "Flux applies this autoscaler",
            id="flux",
        ),
    ],
)
def test_what_is_to_be_known_is_told(text: str, words: str) -> None:
    done = policies_of(text)
    assert done.exit_code == 0
    assert words in done.stderr
    assert words in done.stdout


OBJECT = {"metric": {"name": "rps"}, "describedObject": {"kind": "Ingress", "name": "a"}, "target": {"value": "9"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            _with(HPA, "spec.metrics", [{"type": "Object", "object": OBJECT}]),
            "spec.metrics[0]: what rps of an object is, its metrics API alone knows; give its PromQL with --query",
            id="object-without-a-query",
        ),
        pytest.param(_with(HPA, "spec.metrics", []), "it has no metric", id="no-metric"),
        pytest.param(
            _with(KEDA, "spec.triggers", [{"type": "kafka", "metadata": {"topic": "a"}}]),
            "kafka: a trigger of type kafka has no counterpart here",
            id="another-trigger-alone",
        ),
        pytest.param(HPA.replace("/v2", "/v2beta1"), "write it as autoscaling/v2", id="v2beta1"),
        pytest.param(HPA.replace("maxReplicas", "most"), "it has no 'maxReplicas'", id="no-maximum"),
        pytest.param(HPA.replace("maxReplicas: 10", "maxReplicas: 0"), "spec.replicas.max", id="no-policy"),
        pytest.param(KEDA.replace("ScaledObject", "ScaledJob"), "a ScaledJob starts jobs", id="scaled-job"),
        pytest.param(
            "{kind: VerticalPodAutoscaler, metadata: {name: a}, spec: {targetRef: {kind: Deployment, name: a}}}",
            "it needs no policy: Foresail recommends for every VerticalPodAutoscaler",
            id="vpa-alone",
        ),
    ],
)
def test_what_no_policy_is_made_of_is_told(text: str, words: str) -> None:
    document, done = imported(text)
    assert done.exit_code == 4
    assert document["items"] == []
    assert words in document["left"][0]["message"]
    assert words in done.stderr


def test_two_autoscalers_of_one_object_make_one_policy() -> None:
    document, done = imported(f"{KEDA}---{HPA}")
    assert done.exit_code == 4
    assert [each["sources"] for each in document["items"]] == [["ScaledObject shop/web (stdin)"]]
    assert document["left"][0]["message"].startswith("ScaledObject shop/web (stdin) scales the same object")


def test_an_hpa_that_keda_made_is_not_told_beside_its_scaled_object() -> None:
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "controller": True}
    made = _with(HPA, "metadata.ownerReferences", [owner])
    document, done = imported(f"{made}---{KEDA}")
    assert (done.exit_code, document["left"]) == (0, [])
    document, done = imported(made)
    assert (done.exit_code, document["left"][0]["message"]) == (
        4,
        "KEDA made it; import its ScaledObject in its place",
    )


def test_objects_of_one_name_and_two_kinds_get_policies_of_two_names() -> None:
    document, _ = imported(f"{HPA}---{KEDA.replace('name: web}', 'name: web, kind: StatefulSet}')}")
    assert [each["policy"]["metadata"]["name"] for each in document["items"]] == ["web", "web-statefulset"]


def test_a_query_that_is_given_makes_a_signal_of_a_metric_of_an_object() -> None:
    query = 'sum(rate(nginx_requests_total{ingress="a"}[1m]))'
    text = _with(HPA, "spec.metrics", [{"type": "Object", "object": OBJECT}])
    document, done = imported(text, "--query", f"rps={query}")
    assert done.exit_code == 0
    [signal] = document["items"][0]["policy"]["spec"]["signals"]
    assert (signal["kind"], signal["query"], signal["target"]) == ("pressure", query, {"value": "9"})


def test_what_kubectl_prints_is_a_list(tmp_path: Path) -> None:
    items = [yaml.safe_load(HPA), yaml.safe_load(KEDA.replace("name: web}", "name: other}"))]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
    out = tmp_path / "out"
    done = run("policy", "import", "-f", str(tmp_path), "--out", str(out))
    assert (done.exit_code, done.stdout) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["shop-other.yaml", "shop-web.yaml"]
    assert run("policy", "validate", str(out)).exit_code == 0
    again = run("policy", "import", "-f", str(tmp_path), "--out", str(out))
    assert again.exit_code == 2
    assert "is there already; nothing was written" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param((), 2, "name files with -f, or say --from-cluster", id="nothing-named"),
        pytest.param(("-f", "absent.yaml"), 3, "cannot be read: No such file", id="absent"),
        pytest.param(("-f", "-", "--query", "a"), 2, "must be METRIC=PROMQL", id="query"),
        pytest.param(("-f", "-"), 1, "no HorizontalPodAutoscaler, ScaledObject or", id="nothing-in-it"),
    ],
)
def test_misuse(options: tuple[str, ...], code: int, words: str) -> None:
    done = run("policy", "import", *options, stdin="{kind: Service, metadata: {name: a}}")
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr

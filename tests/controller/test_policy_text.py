"""Policies as YAML text: syntax, repeated keys, several documents, files and folders."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.policy_text import load_policies, parse_policies, policy_texts
from policies.spec import API_VERSION, KIND, PolicyError, policy_from

ROOT = Path(__file__).resolve().parents[2]

WEB = """\
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata: {name: web}
spec:
  target: {apiVersion: apps/v1, kind: Deployment, name: web}
  replicas: {min: 2, max: 10}
  signals:
    - {name: rps, kind: demand, query: up, capacityPerReplica: 40}
"""
API = WEB.replace("name: web}", "name: api}")


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        parse_policies(text, source="web.yaml")
    return str(refused.value).splitlines()


def test_several_documents_are_several_policies_and_empty_ones_are_none() -> None:
    policies = parse_policies(f"---\n{WEB}---\n---\n# only a comment\n---\n{API}", source="web.yaml")
    assert [policy.uid for policy in policies] == ["default/web", "default/api"]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing yet\n"])
def test_a_text_without_documents_has_no_policies(text: str) -> None:
    assert parse_policies(text, source="web.yaml") == ()


def test_a_decimal_is_the_one_that_was_written() -> None:
    (policy,) = parse_policies(WEB.replace("Replica: 40", "Replica: 0.1"), source="web.yaml")
    assert policy.spec.signals[0].model_dump()["capacity_per_replica"] == "0.1"
    assert policy.document()["spec"]["signals"][0]["capacityPerReplica"] == "0.1"  # type: ignore[index]  # plain values


def test_an_unquoted_no_is_false_where_false_may_stand() -> None:
    (policy,) = parse_policies(f"{WEB}  forecast: {{enabled: no}}\n", source="web.yaml")
    assert policy.spec.forecast.enabled is False


def test_merged_mappings_may_be_overridden() -> None:
    text = WEB.replace("{min: 2, max: 10}", "{<<: {min: 2, max: 10}, max: 12}")
    (policy,) = parse_policies(text, source="web.yaml")
    assert (policy.spec.replicas.min, policy.spec.replicas.max) == (2, 12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            WEB.replace("{min: 2, max: 10}", "{min: 5, max: 2}"),
            "web.yaml: spec.replicas: min (5) is above max (2); lower min or raise max",
            id="a-problem-has-file-path-both-values-and-the-mend",
        ),
        pytest.param(
            WEB.replace("{min: 2, max: 10}", "{min: 2, max: 10, min: 3}"),
            "web.yaml: the key 'min' stands twice in one mapping (lines 6 and 6); keep one of them",
            id="a-key-twice-on-a-line",
        ),
        pytest.param(
            f"{WEB}  mode: active\n  mode: shadow\n",
            "web.yaml: the key 'mode' stands twice in one mapping (lines 9 and 10); keep one of them",
            id="a-key-twice-in-a-block",
        ),
        pytest.param(
            WEB.replace("{name: web}", "{name: yes}", 1),
            "web.yaml: metadata.name: must be text, not true (YAML reads it so when it is not in quotes: quote it)",
            id="a-name-that-yaml-takes-for-a-boolean",
        ),
        pytest.param("- a\n- b\n", "web.yaml: must be a mapping of fields, not a list", id="a-list"),
        pytest.param("web", "web.yaml: must be a mapping of fields, not 'web'", id="a-word"),
        pytest.param(
            "spec:\n  a: b: c",
            "web.yaml: line 2, column 7: is not YAML: mapping values are not allowed in this context",
            id="a-colon-too-many",
        ),
        pytest.param(
            "a: !!python/object:os.system {}",
            "web.yaml: line 1, column 4: is not YAML:"
            " could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'",
            id="a-tag-that-makes-objects",
        ),
        pytest.param(
            "a: !!int x",
            "web.yaml: is not YAML: invalid literal for int() with base 10: 'x'",
            id="a-forced-number-that-is-none",
        ),
    ],
)
def test_a_faulty_text_is_refused_in_one_line(text: str, message: str) -> None:
    assert problems(text) == [message]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: !!bool x", id="forced-boolean"),
        pytest.param("a: !!timestamp x", id="forced-time"),
        pytest.param("a: 2026-13-45", id="a-date-that-does-not-exist"),
        pytest.param("a: 0x_", id="a-number-without-digits"),
        pytest.param("a: \x00", id="a-byte-that-yaml-forbids"),
        pytest.param("{[a]: b}", id="a-key-that-is-a-list"),
        pytest.param("&a [*a]", id="a-list-of-itself"),
        pytest.param("[" * 3000, id="nested-too-deeply"),
        pytest.param(f"a: {'9' * 5000}", id="a-number-of-5000-digits"),
    ],
)
def test_whatever_the_yaml_does_it_is_refused_as_a_problem(text: str) -> None:
    assert problems(text)


def test_problems_before_a_fault_of_syntax_are_told_too() -> None:
    assert [line.partition(": ")[2].partition(" ")[0] for line in problems(f"{WEB}  mode: on\n---\n[")] == [
        "line",
        "spec.mode:",
    ]


def test_two_documents_of_one_file_that_scale_one_object_are_told() -> None:
    other = WEB.replace("{name: web}", "{name: other}", 1)
    (problem,) = problems(f"{WEB}---\n{other}")
    assert problem == (
        "web.yaml (document 2): spec.target: Deployment web is already scaled by default/web in web.yaml (document 1);"
        " remove one"
    )


def test_a_folder_is_read_in_the_order_of_names_without_hidden_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(API)
    (tmp_path / "a.yaml").write_text(WEB)
    (tmp_path / ".c.yaml").write_text("[")
    (tmp_path / "d.txt").write_text("[")
    (tmp_path / "e.yaml").mkdir()
    assert [policy.uid for policy in load_policies(tmp_path)] == ["default/web", "default/api"]


def test_problems_across_files_are_told_together(tmp_path: Path) -> None:
    first, again, broken, other = (tmp_path / f"{name}.yaml" for name in "abcd")
    first.write_text(WEB)
    again.write_text(WEB)
    broken.write_text("[")
    other.write_bytes(b"a: \xff")
    with pytest.raises(PolicyError) as refused:
        load_policies(tmp_path)
    assert [(problem.source, problem.path) for problem in refused.value.problems] == [
        (str(broken), ""),
        (str(other), ""),
        (str(again), "metadata.name"),
    ]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    missing = tmp_path / "web.yaml"
    with pytest.raises(PolicyError) as refused:
        load_policies(missing)
    assert str(refused.value) == f"{missing}: cannot be read: {os.strerror(2)}"


@pytest.mark.parametrize("path", sorted((ROOT / "docs/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_valid(path: Path) -> None:
    assert load_policies(path)


names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="$", exclude_categories=["Cc", "Cs", "Z"]), min_size=1)
quantities = st.integers(1, 10**9) | st.sampled_from(["250m", "4Gi", "1.5", "3e2", "1500u"])
durations = st.integers(60, 7 * 86_400).map(lambda seconds: f"{seconds}s")
shares = st.sampled_from(["1%", "50 %", 0.01, 0.123])
counts = st.integers(1, 50)
schedules = st.fixed_dictionaries(
    {"cron": st.sampled_from(["0 8 * * MON-FRI", "*/5 * L * *"]), "duration": durations, "min": counts},
    optional={"timezone": st.sampled_from(["UTC", "Europe/Berlin"]), "max": st.integers(50, 99)},
)
demands = st.fixed_dictionaries(
    {"kind": st.just("demand"), "query": texts, "capacityPerReplica": quantities},
    optional={"match": st.dictionaries(names.map(lambda name: name.replace("-", "_")), texts | st.just("$name"))},
) | st.fixed_dictionaries(
    {
        "kind": st.just("demand"),
        "query": texts,
        "capacityFromRequest": st.fixed_dictionaries(
            {"resource": st.sampled_from(["cpu", "memory"])}, optional={"container": names}
        ),
    }
)
pressures = st.fixed_dictionaries(
    {"kind": st.just("pressure"), "query": texts, "target": st.fixed_dictionaries({"averageValue": quantities})},
    optional={"perPod": st.booleans()},
)
rates = st.fixed_dictionaries(
    {"type": st.sampled_from(["Pods", "Percent"]), "value": counts, "periodSeconds": st.integers(1, 1800)}
)
directions = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "stabilizationWindowSeconds": st.integers(0, 3600),
        "policies": st.lists(rates, min_size=1, max_size=3),
        "selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
        "tolerance": quantities | st.just(0),
    },
)
specs = st.fixed_dictionaries(
    {
        "target": st.fixed_dictionaries(
            {"apiVersion": st.just("apps/v1"), "kind": st.just("Deployment"), "name": names}
        ),
        "replicas": st.fixed_dictionaries(
            {"max": st.integers(50, 99)}, optional={"min": counts, "schedules": st.lists(schedules, max_size=3)}
        ),
        "signals": st.lists(demands | pressures, min_size=1, max_size=3).map(
            lambda signals: [signal | {"name": f"s{index}"} for index, signal in enumerate(signals)]
        ),
    },
    optional={
        "mode": st.sampled_from(["shadow", "floor", "active", "paused"]),
        "objective": st.fixed_dictionaries({}, optional={"late": shares, "servingLimit": shares}),
        "behavior": st.none() | st.fixed_dictionaries({}, optional={"scaleUp": directions, "scaleDown": directions}),
        "forecast": st.fixed_dictionaries(
            {}, optional={"enabled": st.booleans(), "history": st.sampled_from(["1d", "36h", "35d"])}
        ),
    },
)
metadatas = st.fixed_dictionaries(
    {"name": names}, optional={"namespace": names, "labels": st.dictionaries(texts, texts, max_size=2)}
)


@given(metadata=metadatas, spec=specs)
def test_a_policy_written_as_yaml_and_parsed_again_is_equal(metadata: dict[str, Any], spec: dict[str, Any]) -> None:
    policy = policy_from({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}, source="")
    assert parse_policies(yaml.safe_dump(policy.document()), source="") == (policy,)


@given(capacity=st.decimals(Decimal("0.001"), 10**12, places=9))
def test_any_quoted_decimal_survives_yaml_exactly(capacity: Decimal) -> None:
    (policy,) = parse_policies(WEB.replace("Replica: 40", f'Replica: "{capacity:f}"'), source="")
    assert policy == parse_policies(yaml.safe_dump(policy.document()), source="")[0]
    assert policy.spec.signals[0].model_dump()["capacity_per_replica"] == f"{capacity:f}"


def test_the_texts_of_policies_parse_to_the_same_policies() -> None:
    policies = parse_policies(f"{WEB}\n---\n{WEB.replace('name: web', 'name: api')}", source="")
    texts = policy_texts(policies)
    assert list(texts) == ["default/web", "default/api"]
    assert tuple(parse_policies(each, source="")[0] for each in texts.values()) == policies

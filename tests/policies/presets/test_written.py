"""Presets as policies name them: what they fill in, and what is told of those that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from policies.presets.catalogue import PRESETS
from policies.problems import PolicyError
from policies.spec import WorkloadPolicy, policy_from


def policy(*signals: dict[str, Any]) -> WorkloadPolicy:
    return policy_from(
        {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "WorkloadPolicy",
            "metadata": {"name": "chat", "namespace": "ml"},
            "spec": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
                "replicas": {"max": 9},
                "signals": list(signals),
            },
        },
        source="p.yaml",
    )


def test_a_preset_brings_kind_name_query_and_labels() -> None:
    read = policy({"preset": "triton/queue", "target": {"averageValue": 4}})

    (bound,) = read.queries()
    assert (read.spec.signals[0].kind, bound.signal) == ("pressure", "triton-queue")
    assert bound.query == "sum by (namespace, service) (nv_inference_pending_request_count)"
    assert bound.match == (("namespace", "ml"), ("service", "chat"))
    assert bound.either


def test_labels_of_the_users_own_replace_those_of_the_preset() -> None:
    own = {"preset": "triton/requests", "capacityPerReplica": 20, "match": {"model": "resnet"}}

    (bound,) = policy(own).queries()

    assert bound.query == "sum by (model) (rate(nv_inference_request_success[2m]))"
    assert bound.match == (("model", "resnet"),)


def test_workloads_with_the_same_labels_ask_one_query() -> None:
    queries = {
        policy({"preset": "vllm/queue", "target": {"averageValue": 4}, "match": {"app": app}}).queries()[0].query
        for app in ("a", "b", "c")
    }

    assert len(queries) == 1


def test_a_policy_is_written_without_the_query_and_reads_the_same() -> None:
    read = policy({"preset": "vllm/kv-cache", "target": {"value": 0.8}})

    document = read.document()

    assert "kv_cache_usage_perc" not in str(document)
    assert policy_from(document, source="again") == read


@pytest.mark.parametrize(
    ("signal", "problem"),
    [
        pytest.param(
            {"preset": "vllm/quee", "target": {"value": 1}},
            "p.yaml: spec.signals[0].preset: 'vllm/quee' is not a preset (did you mean vllm/queue?)",
            id="unknown",
        ),
        pytest.param(
            {"preset": "vllm/queue", "kind": "demand", "capacityPerReplica": 1},
            "p.yaml: spec.signals[0].kind: must be pressure, the kind of vllm/queue, or left out",
            id="another-kind",
        ),
        pytest.param(
            {"preset": "vllm/queue", "query": "up", "target": {"value": 1}},
            "p.yaml: spec.signals[0].query: stands beside preset vllm/queue, which brings its own; remove one of them",
            id="a-query-beside-it",
        ),
        pytest.param(
            {"preset": "cadvisor/cpu", "capacityPerReplica": 1},
            "p.yaml: spec.signals[0].capacityPerReplica: cadvisor/cpu is read per pod: use capacityFromRequest",
            id="per-pod",
        ),
    ],
)
def test_what_cannot_be_is_told(signal: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(signal)

    assert problem in str(caught.value).splitlines()


def test_two_signals_of_one_preset_need_names_of_their_own() -> None:
    one = {"preset": "vllm/queue", "target": {"averageValue": 4}}

    with pytest.raises(PolicyError, match="'vllm-queue' is already the name of"):
        policy(one, one)


def test_gpu_activity_is_preferred_to_a_kernel_that_ran() -> None:
    names = PRESETS["gpu/activity"].metrics()

    assert names == ("foresail_gpu_sm_active_ratio", "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")


def test_all_names_that_are_there_are_read_the_newest_first() -> None:
    cache = PRESETS["vllm/kv-cache"]
    old, new = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"

    assert [cache.read_from(there) for there in ({old}, {old, new}, {"up"})] == [(old,), (new, old), ()]

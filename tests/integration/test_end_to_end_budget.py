"""The daemon under a budget of GPUs that stands beside its policy, with pods that really ask for GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

GPU = {"nvidia.com/gpu": "2"}


async def test_a_budget_of_gpus_is_kept_and_told_and_its_end_lets_the_workload_rise(stage: Stage) -> None:
    asks = {"requests": GPU, "limits": GPU}
    container = {"name": "server", "image": "registry.invalid/server:1", "resources": asks}
    await stage.change({"spec": {"template": {"spec": {"containers": [container]}}}})
    policy = stage.policy_file.read_text()
    budget = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Budget",
        "metadata": {"name": "gpus"},
        "spec": {"namespace": stage.namespace, "gpus": 7},
    }
    stage.policy_file.write_text(f"{policy}---\n{yaml.safe_dump(budget)}")
    with stage.daemon as daemon:
        stage.load(35)  # 5 replicas, of which 7 GPUs are enough for 3
        await stage.scaled(3)
        shown = stage.shows(lambda document: document["budget"])
        assert shown["budget"] == {
            "of": "namespace",
            "resource": "gpus",
            "cap": 7.0,
            "replica": 2.0,
            "wanted": 5,
            "kept": 3,
        }
        told = "The namespace's budget of 7 GPUs leaves 3 of 5 replicas: a replica takes 2 GPUs."
        assert told in shown["explanation"]
        assert daemon.metric("foresail_budget_withheld_replicas") == 2
        stage.policy_file.write_text(policy)
        await stage.scaled(5)

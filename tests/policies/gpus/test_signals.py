"""Which metrics tell what of GPUs: the preferred that is there, in base units."""

from __future__ import annotations

import pytest

from policies.gpus.signals import Quantity, allocation_name, bound, present_query, utilisation_in

BY_DEFAULT = {  # of DCGM exporter
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
}


@pytest.mark.parametrize(
    ("present", "name", "saturates"),
    [
        pytest.param(BY_DEFAULT, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", False, id="dcgm-as-it-comes"),
        pytest.param(BY_DEFAULT | {"DCGM_FI_PROF_SM_ACTIVE"}, "DCGM_FI_PROF_SM_ACTIVE", True, id="dcgm-told-to"),
        pytest.param({"DCGM_FI_DEV_GPU_UTIL"}, "DCGM_FI_DEV_GPU_UTIL", False, id="only-utilisation"),
    ],
)
def test_activity_is_read_from_the_best_that_is_there(present: set[str], name: str, saturates: object) -> None:
    found = bound(present)[Quantity.ACTIVITY]
    assert (found.name, found.saturates) == (name, saturates)


def test_what_is_a_sum_needs_all_its_parts() -> None:
    assert bound(BY_DEFAULT)[Quantity.MEMORY_TOTAL].metrics == ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE")
    assert bound(BY_DEFAULT | {"DCGM_FI_DEV_FB_RESERVED"})[Quantity.MEMORY_TOTAL].metrics == (
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_FB_FREE",
        "DCGM_FI_DEV_FB_RESERVED",
    )
    assert Quantity.MEMORY_TOTAL not in bound({"DCGM_FI_DEV_FB_USED"})
    assert bound(()) == {}


def test_units_and_labels_are_made_one() -> None:
    query = bound({"DCGM_FI_DEV_GPU_UTIL"})[Quantity.ACTIVITY].over("max_over_time", "1h")
    assert query.startswith("(max by (node, gpu, slice, namespace, pod) (label_replace(")
    assert query.count(" and max by (") == 2
    assert "(max_over_time(DCGM_FI_DEV_GPU_UTIL[1h])) < 4611686018427387904" in query
    assert "(DCGM_FI_DEV_GPU_UTIL offset 1h) < " in query
    assert '"node", "$1", "Hostname", "(.+)")' in query
    assert query.endswith("* 0.01")
    assert bound(BY_DEFAULT)[Quantity.MEMORY_USED].over("max_over_time", "1h").endswith("* 1048576.0")


def test_all_names_are_looked_for_at_once() -> None:
    assert "DCGM_FI_PROF_SM_ACTIVE|" in present_query()


def test_resources_are_written_as_kube_state_metrics_does() -> None:
    assert allocation_name("nvidia.com/mig-1g.10gb") == "nvidia_com_mig_1g_10gb"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("avg(DCGM_FI_DEV_GPU_UTIL{pod=~'chat.*'})", "DCGM_FI_DEV_GPU_UTIL", id="dcgm"),
        pytest.param("sum by (model) (nv_gpu_utilization)", "nv_gpu_utilization", id="triton"),
        pytest.param("avg(DCGM_FI_PROF_SM_ACTIVE)", None, id="busy-multiprocessors"),
        pytest.param("sum(vllm:num_requests_waiting)", None, id="a-queue"),
    ],
)
def test_a_query_of_utilisation_is_known(query: str, found: str | None) -> None:
    assert utilisation_in(query) == found

"""How many replicas the quotas of a namespace leave room for."""

from __future__ import annotations

import numpy as np
import pytest

from controller.collect.quotas import QuotaRoom
from controller.records import ClusterView, PodView, Quota, TargetRef

WEB, LAB = (TargetRef("apps/v1", "Deployment", namespace, "web") for namespace in ("shop", "lab"))
HALF_A_CORE = (("pods", 1000), ("requests.cpu", 500))
A_GPU = (("pods", 1000), ("requests.cpu", 3500), ("requests.nvidia.com/gpu", 1000))
SILENT = (("pods", 1000), ("requests.cpu", None))


def pod(*charge: tuple[str, int | None], phase: str = "Running") -> PodView:
    return PodView(
        "web-1", phase, deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0, charge=charge
    )


def quotas(*left: tuple[str, int | None]) -> list[Quota]:
    return [Quota("shop", f"of-{resource}", ((resource, amount),)) for resource, amount in left]


@pytest.mark.parametrize(
    ("found", "pods", "pods_per_replica", "expected"),
    [
        pytest.param(quotas(("requests.cpu", 1900)), [pod(*HALF_A_CORE)] * 2, 1, 5, id="those-there-and-whole-more"),
        pytest.param(
            quotas(("requests.cpu", 5000), ("pods", 1000)), [pod(*HALF_A_CORE)] * 2, 1, 3, id="the-scarcest-counts"
        ),
        pytest.param(quotas(("requests.cpu", 0)), [pod(*HALF_A_CORE)] * 2, 1, 2, id="nothing-is-left"),
        pytest.param(
            quotas(("requests.cpu", 1000)),
            [pod(*HALF_A_CORE), pod(*HALF_A_CORE, phase="Failed"), pod(*HALF_A_CORE, phase="Succeeded")],
            1,
            3,
            id="pods-that-ended-take-nothing",
        ),
        # Two groups of a leader with half a core and a worker with three and a half; nine cores are two groups more.
        pytest.param(
            quotas(("requests.cpu", 9000)), [pod(*HALF_A_CORE), pod(*A_GPU)] * 2, 2, 4, id="whole-groups-of-unlike-pods"
        ),
        pytest.param(
            quotas(("requests.nvidia.com/gpu", 3000), ("requests.cpu", 70_000)), [pod(*A_GPU)], 1, 4, id="devices"
        ),
        pytest.param(
            quotas(("requests.nvidia.com/gpu", 0)), [pod(*HALF_A_CORE)], 1, np.inf, id="devices-that-it-does-not-take"
        ),
        pytest.param([], [pod(*HALF_A_CORE)], 1, np.inf, id="no-quota"),
        pytest.param([Quota("shop", "scoped", ())], [], 1, np.inf, id="no-quota-that-concerns-it"),
        pytest.param(quotas(("requests.cpu", 9000)), [], 1, np.nan, id="without-pods-nobody-knows"),
        pytest.param(
            quotas(("requests.cpu", 9000)), [pod(*HALF_A_CORE), pod(*SILENT)], 1, np.nan, id="a-pod-that-does-not-say"
        ),
        pytest.param(
            quotas(("pods", 2000), ("requests.cpu", None)), [pod(*HALF_A_CORE)], 1, np.nan, id="not-counted-yet"
        ),
    ],
)
def test_replicas(found: list[Quota], pods: list[PodView], pods_per_replica: int, expected: float) -> None:
    view = ClusterView({}, {WEB: pods}, 0.0, quotas={"shop": found})
    # The lanes of a fleet are more than those that are asked for; of the other namespace nothing is known.
    room = QuotaRoom(view, (LAB, LAB, WEB))
    replicas = room.replicas(np.array([0, 2]), np.array([1, 1, pods_per_replica]))
    np.testing.assert_array_equal(replicas, [np.nan, expected])

"""When the driver is let go of."""

from __future__ import annotations

import pytest

from controller.adapters.nvml.node import reason_to_release

UPGRADE = "nvidia.com/gpu-driver-upgrade-state"


@pytest.mark.parametrize(
    ("labels", "annotations", "released"),
    [
        pytest.param({}, {}, False, id="nothing-said"),
        pytest.param({UPGRADE: "upgrade-done"}, {}, False, id="upgrade-done"),
        pytest.param({UPGRADE: "upgrade-required"}, {}, False, id="upgrade-waits-for-its-turn"),
        pytest.param({UPGRADE: "cordon-required"}, {}, True, id="cordon"),
        pytest.param({UPGRADE: "drain-required"}, {}, True, id="drain"),
        pytest.param({UPGRADE: "pod-restart-required"}, {}, True, id="driver-pod-restarts"),
        pytest.param({UPGRADE: "upgrade-failed"}, {}, True, id="upgrade-failed"),
        pytest.param({UPGRADE: "uncordon-required"}, {}, False, id="new-driver-validated"),
        pytest.param({"nvidia.com/gpu.deploy.dcgm": "paused-for-driver-upgrade"}, {}, True, id="operands-paused"),
        pytest.param({"nvidia.com/gpu.deploy.dcgm": "true"}, {}, False, id="operands-deployed"),
        pytest.param({}, {"foresail.dev/release-gpus": "true"}, True, id="annotation"),
        pytest.param({}, {"foresail.dev/release-gpus": "false"}, False, id="annotation-that-says-no"),
    ],
)
def test_a_node_that_is_upgraded_releases_its_driver(
    labels: dict[str, str], annotations: dict[str, str], *, released: bool
) -> None:
    assert bool(reason_to_release(labels, annotations)) is released

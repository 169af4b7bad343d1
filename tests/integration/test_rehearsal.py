"""A migration from end to end, with the real HPA controller: import, shadow, active, Foresail gone, and back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from tests.integration.daemon import Stage
    from tests.integration.servers.pod_metrics import PodMetrics

HPAS = "/apis/autoscaling/v2beta2/namespaces/{namespace}/horizontalpodautoscalers"
FORESAIL = str(Path(sys.executable).with_name("foresail"))
CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
HPA = {
    "metadata": {"name": "theirs"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [{"type": "Resource", "resource": CPU}],
    },
}


def foresail(stage: Stage, *arguments: str) -> dict[str, Any]:
    argv = [FORESAIL, *arguments, "-o", "json", f"--kubeconfig={stage.kube_api.kubeconfig}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def asks(stage: Stage, replicas: int) -> None:
    async def there() -> bool:
        found = await stage.replicas()
        assert found == replicas, f"{found} replicas, not {replicas}"
        return True

    await eventually_async(there, 40, what=f"{replicas} replicas")


@pytest.mark.usefixtures("hpa_controller")
async def test_a_workload_goes_over_and_comes_back(stage: Stage, pod_metrics: PodMetrics) -> None:
    path, uid = HPAS.format(namespace=stage.namespace), f"{stage.namespace}/web"
    pod_metrics.cores["web"] = 0.75  # of pods that request 0.5: ceil(0.75 / (0.5 * 50 %)) = 3
    await stage.send("POST", path, HPA)
    await asks(stage, 3)

    [item] = foresail(stage, "policy", "import", "--from-cluster", "-n", stage.namespace)["items"]
    imported = item["policy"]
    assert imported["spec"]["replicas"] == {"min": 2, "max": 9}
    assert imported["spec"]["incumbent"] == {"target": 0.5}
    # The signal of CPU needs cAdvisor; what the workload serves is known, as a person would correct it.
    stage.policy(mode="shadow", replicas=imported["spec"]["replicas"])
    with stage.daemon as daemon:
        stage.load(35)  # at 7 for each replica that is 5
        stage.shows(lambda shown: shown["mode"] == "shadow" and shown["replicas"]["recommended"] == 5)
        pod_metrics.cores["web"] = 1.0
        await asks(stage, 4)  # the HPA decides, and Foresail writes nothing

        stage.policy_file.write_text(_active(stage))
        stage.shows(lambda shown: shown["hold"] == "owned")
        access = (f"--policies={stage.policy_file}", uid)
        [taken] = foresail(stage, "takeover", *access, f"--url={daemon.url}")["items"]
        assert (taken["outcome"], taken["message"]) == ("taken-over", "from HorizontalPodAutoscaler theirs")
        await asks(stage, 5)

    [given] = foresail(stage, "handback", *access)["items"]  # Foresail is gone
    assert (given["outcome"], given["message"]) == ("handed-back", "HorizontalPodAutoscaler theirs, as it was")
    assert await stage.replicas() == 5
    pod_metrics.cores["web"] = 2.0
    await asks(stage, 8)


def _active(stage: Stage) -> str:
    document = yaml.safe_load(stage.policy_file.read_text())
    document["spec"]["mode"] = "active"
    return str(yaml.safe_dump(document))

"""Owns `foresail metrics-api` as a process that a real API server aggregates, and an HPA that reads it."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.integration.servers.aggregation import aggregated, serving_pair
from tests.integration.servers.process import Launch, ServerProcess, free_port, tcp_open

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.daemon import Stage
    from tests.integration.servers.kube_client import Document

FORESAIL = str(Path(sys.executable).with_name("foresail"))
DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "metrics-api.yaml"
GROUP = "external.metrics.k8s.io"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings"
START_S = 60.0


@asynccontextmanager
async def metrics_api(stage: Stage) -> AsyncIterator[tuple[ServerProcess, str]]:
    """Serve the stage's daemon, with the rights of deploy/metrics-api.yaml; yields the process and its APIService."""
    account = await stage.kube_api.service_account(stage.namespace, "metrics-api", [])
    folder = stage.folder / "metrics-api"
    folder.mkdir()
    pair, port = serving_pair(stage.kube_api, stage.namespace, GROUP), free_port()
    flags = {
        "metrics-api-listen": f"127.0.0.1:{port}",
        "metrics-api-cert-file": pair.certificate,
        "metrics-api-key-file": pair.key,
        "metrics-api-daemon-url": stage.daemon.url,
        "kubeconfig": stage.kube_api.kubeconfig_for(account.token, folder),
    }
    argv = [FORESAIL, "metrics-api", *(f"--{name}={value}" for name, value in flags.items())]
    process = ServerProcess(Launch("metrics-api", argv, folder, lambda: tcp_open(port), timeout_s=START_S))
    await stage.send("POST", BINDINGS, binding(stage.namespace))
    try:
        with process:
            async with aggregated(stage.kube_api, stage.namespace, GROUP, port) as api_service:
                yield process, api_service
    finally:
        await stage.send("DELETE", f"{BINDINGS}/{binding(stage.namespace)['metadata']['name']}")


def binding(namespace: str) -> Document:
    """The RoleBinding that users are given, for the account of a test."""
    documents: list[Document] = list(yaml.safe_load_all(DEPLOYED.read_text()))
    (found,) = [each for each in documents if each["kind"] == "RoleBinding"]
    found["metadata"]["name"] = f"{namespace}-metrics-api"
    found["subjects"] = [{"kind": "ServiceAccount", "name": "metrics-api", "namespace": namespace}]
    return found


def floor_hpa(stage: Stage) -> Document:
    """What `foresail policy floor` prints for the stage's policy, with its suggestion of an own metric taken up."""
    argv = [FORESAIL, "policy", "floor", str(stage.policy_file)]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    hpa: Document = yaml.safe_load(re.sub(r"^    # (- type: Resource|  )", r"    \1", printed, flags=re.MULTILINE))
    hpa["apiVersion"] = "autoscaling/v2beta2"  # the newest that the tests' server has, of the same form
    return hpa

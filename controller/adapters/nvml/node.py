"""When the driver must be let go of: the node is being prepared for a driver upgrade, or somebody says so by a file.

Read of the agent's own Node with the pod's account, by plain requests: the Kubernetes client would take more memory
than the rest of the agent. Source of the labels: NVIDIA's k8s-driver-manager and GPU operator (driver upgrade states).
"""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

UPGRADE_STATE = "nvidia.com/gpu-driver-upgrade-state"
ANNOTATION = "foresail.dev/release-gpus"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_OPERAND = "nvidia.com/gpu.deploy."
_PAUSED = "paused-for-driver-upgrade"
_NO = frozenset({"", "false", "no", "off", "0"})
_UPGRADING = frozenset(
    {
        "node-maintenance-required",
        "cordon-required",
        "wait-for-jobs-required",
        "pod-deletion-required",
        "drain-required",
        "pod-restart-required",
        "validation-required",
        "upgrade-failed",
    }
)


def reason_to_release(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Why the node's driver must not be in use now; empty while it may be."""
    state = labels.get(UPGRADE_STATE, "")
    if state in _UPGRADING:
        return f"{UPGRADE_STATE}={state}"
    for label, value in labels.items():
        if label.startswith(_OPERAND) and value.startswith(_PAUSED):
            return f"{label}={value}"
    if annotations.get(ANNOTATION, "").strip().lower() not in _NO:
        return f"the annotation {ANNOTATION}"
    return ""


@dataclass(frozen=True, slots=True)
class NodeReader:
    """Reads one Node of the cluster that this pod runs in."""

    node: str
    url: str
    account: Path = _ACCOUNT
    timeout_s: float = 5.0

    async def released(self) -> str:
        """As `reason_to_release`. Raises Unavailable when the Node cannot be read."""
        found = await self._node()
        metadata = found.get("metadata") if isinstance(found, dict) else None
        if not isinstance(metadata, dict):
            raise self._no_node()
        return reason_to_release(self._texts(metadata.get("labels")), self._texts(metadata.get("annotations")))

    def _texts(self, given: Any) -> dict[str, str]:  # noqa: ANN401 - JSON of a server
        told = {} if given is None else given
        if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
            raise self._no_node()
        return told

    def _no_node(self) -> Unavailable:
        return Unavailable(f"node {self.node} cannot be read: {self.url} answered with no Node")

    async def _node(self) -> Any:  # noqa: ANN401 - JSON of a server
        try:
            token = (self.account / "token").read_text(encoding="utf-8").strip()
            tls = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
            deadline = aiohttp.ClientTimeout(total=self.timeout_s)
            async with (
                aiohttp.ClientSession(timeout=deadline, headers={"Authorization": f"Bearer {token}"}) as session,
                session.get(f"{self.url}/api/v1/nodes/{quote(self.node, safe='')}", ssl=tls) as answer,
            ):
                answer.raise_for_status()
                return json.loads(await answer.read())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"node {self.node} cannot be read: {str(error) or type(error).__name__}") from error


def node_reader(node: str) -> NodeReader | None:
    """The reader of this node, where this is a pod with an account; else None."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (_ACCOUNT / "token").is_file():
        return None
    return NodeReader(node, f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")

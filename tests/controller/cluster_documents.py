"""Nodes and pods as an API server sends them, for tests of what a cluster costs."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def node(name: str, instance_type: str = "m5.large", **more: Any) -> Document:  # noqa: ANN401 - whatever a label is
    """A node of AWS in us-east-1a: 2 cores, 8 GiB. `labels`, `has` (quantities) and `provider` may be told."""
    labels = {
        "node.kubernetes.io/instance-type": instance_type,
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": "us-east-1a",
        **more.get("labels", {}),
    }
    has = {"cpu": "2", "memory": "8Gi", "pods": "110", **more.get("has", {})}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "labels": {label: value for label, value in labels.items() if value},
        },
        "spec": {"providerID": f"{more.get('provider', 'aws')}:///us-east-1a/i-{name}"},
        "status": {"capacity": has, "allocatable": has},
    }


def pod(name: str, on: str, owner: tuple[str, str] | None = None, **more: Any) -> Document:  # noqa: ANN401 - as above
    """A running pod of one container. `owner` is kind and name; `asks`, `namespace`, `phase`, `labels` may be told."""
    owners = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    container = {"name": "main", "resources": {"requests": more.get("asks", {"cpu": "1", "memory": "4Gi"})}}
    return {
        "metadata": {
            "name": name,
            "namespace": more.get("namespace", "shop"),
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "labels": more.get("labels", {}),
            "ownerReferences": owners,
        },
        "spec": {"nodeName": on, "containers": [container, *more.get("beside", [])]},
        "status": {"phase": more.get("phase", "Running")},
    }


def of_deployment(name: str, deployment: str, on: str, **more: Any) -> Document:  # noqa: ANN401 - as above
    """A pod that a Deployment made through a ReplicaSet."""
    return pod(name, on, ("ReplicaSet", f"{deployment}-abc12"), labels={"pod-template-hash": "abc12"}, **more)

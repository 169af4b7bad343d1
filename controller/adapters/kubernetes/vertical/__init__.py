"""VerticalPodAutoscalers, the pods that they size, and their checkpoints on a Kubernetes API server."""

from controller.adapters.kubernetes.vertical.cluster import KubernetesVertical

__all__ = ["KubernetesVertical"]

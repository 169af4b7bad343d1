"""Foresail on Kubernetes: what it sees of the cluster, how it scales, and what it tells the users."""

from controller.adapters.kubernetes.access import KubernetesAccess
from controller.adapters.kubernetes.cluster import ClusterSettings, KubernetesCluster
from controller.adapters.kubernetes.events import KubernetesEvents
from controller.adapters.kubernetes.kill_switch import KillSwitchPlace
from controller.adapters.kubernetes.scale import KubernetesActuator

__all__ = [
    "ClusterSettings",
    "KillSwitchPlace",
    "KubernetesAccess",
    "KubernetesActuator",
    "KubernetesCluster",
    "KubernetesEvents",
]

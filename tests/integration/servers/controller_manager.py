"""Owns a real kube-controller-manager that runs the HPA controller alone, quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tests.integration.servers.kubernetes import flags_of
from tests.integration.servers.process import Launch, MissingServer, ServerProcess, free_port, tcp_open

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi


class HpaController:
    """Scales what HorizontalPodAutoscalers of any namespace name, looking every second; pods are a FakeNode's work.

    It speaks `autoscaling/v2beta2`, and reads `metrics.k8s.io` and `external.metrics.k8s.io` where they are aggregated.
    """

    def __init__(self, folder: Path, kube_api: KubeApi) -> None:
        """Prepare; raises MissingServer where the program is not there."""
        program = kube_api.programs.kube_controller_manager
        if program is None:
            raise MissingServer("there is no kube-controller-manager beside the kube-apiserver")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        flags = {
            "kubeconfig": kube_api.kubeconfig,
            "controllers": "horizontalpodautoscaling",
            "horizontal-pod-autoscaler-sync-period": "1s",
            # A test's pods are ready at once, and what they use counts from then on.
            "horizontal-pod-autoscaler-initial-readiness-delay": "1s",
            "horizontal-pod-autoscaler-cpu-initialization-period": "1s",
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "port": 0,
            "cert-dir": folder,
        }
        launch = Launch("kube-controller-manager", [program, *flags_of(flags)], folder, lambda: tcp_open(port))
        self.process = ServerProcess(launch)

    def __enter__(self) -> Self:
        """Start (about a second)."""
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.process.stop()

"""HorizontalPodAutoscalers of the shapes that the documentation of Kubernetes shows, with the policies they become."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """Autoscalers as YAML; the `spec` they become, as YAML without mode; and the fields that have no counterpart.

    `handed_back` is the spec of the HPA that `foresail handback` makes of the policy, without its target, where that
    says what the autoscaler said.
    """

    name: str
    given: str
    spec: str
    lost: tuple[str, ...] = ()
    handed_back: str | None = None


EXAMPLES = (
    Example(
        "hpa-v1-by-cpu",
        """
        apiVersion: autoscaling/v1
        kind: HorizontalPodAutoscaler
        metadata: {name: php, namespace: shop}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: php-web}
          minReplicas: 2
          maxReplicas: 12
          targetCPUUtilizationPercentage: 55
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: php-web}
        replicas: {min: 2, max: 12}
        signals:
          - name: cpu
            kind: demand
            preset: cadvisor/cpu
            match: {namespace: $namespace}
            capacityFromRequest: {resource: cpu}
        incumbent: {target: 0.55}
        """,
        handed_back="""
        minReplicas: 2
        maxReplicas: 12
        metrics:
          - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 55}}}
        """,
    ),
    Example(
        "hpa-v2-by-cpu-pods-and-an-object",
        """
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: web, namespace: shop}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
          maxReplicas: 10
          metrics:
            - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
            - {type: Pods, pods: {metric: {name: packets-per-second}, target: {type: AverageValue, averageValue: 2k}}}
            - type: Object
              object:
                metric: {name: requests-per-second}
                describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: front}
                target: {type: Value, value: 9k}
        """,
        r"""
        target: {apiVersion: apps/v1, kind: Deployment, name: web}
        replicas: {max: 10}
        signals:
          - name: cpu
            kind: demand
            preset: cadvisor/cpu
            match: {namespace: $namespace}
            capacityFromRequest: {resource: cpu}
          - name: packets-per-second
            kind: demand
            query: sum(rate(packets_total{namespace="$namespace", pod=~"$name-[a-z0-9]{1,10}-[a-z0-9]{5}"}[2m]))
            capacityPerReplica: "2500"
        objective: {servingLimit: 0.9143}
        incumbent: {target: 0.8}
        """,
        lost=("spec.metrics[2]",),
        handed_back="""
        minReplicas: 1
        maxReplicas: 10
        metrics:
          - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
        """,
    ),
    Example(
        "hpa-v2-of-one-container",
        """
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: api, namespace: shop}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: api}
          minReplicas: 3
          maxReplicas: 9
          metrics:
            - type: ContainerResource
              containerResource: {name: cpu, container: main, target: {type: Utilization, averageUtilization: 65}}
        """,
        """
        target: {apiVersion: apps/v1, kind: StatefulSet, name: api}
        replicas: {min: 3, max: 9}
        signals:
          - name: cpu-main
            kind: demand
            preset: cadvisor/cpu
            match: {namespace: $namespace, container: main}
            capacityFromRequest: {resource: cpu, container: main}
        incumbent: {target: 0.65}
        """,
        handed_back="""
        minReplicas: 3
        maxReplicas: 9
        metrics:
          - type: ContainerResource
            containerResource: {name: cpu, container: main, target: {type: Utilization, averageUtilization: 65}}
        """,
    ),
    Example(
        "hpa-v2-external-queue-with-behavior",
        """
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: worker, namespace: jobs}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
          minReplicas: 1
          maxReplicas: 40
          metrics:
            - type: External
              external:
                metric: {name: queue_ready, selector: {matchLabels: {queue: tasks}}}
                target: {type: AverageValue, averageValue: "25"}
          behavior:
            scaleDown:
              stabilizationWindowSeconds: 120
              selectPolicy: Min
              policies:
                - {type: Pods, value: 3, periodSeconds: 60}
                - {type: Percent, value: 20, periodSeconds: 60}
            scaleUp:
              stabilizationWindowSeconds: 0
              selectPolicy: Max
              policies:
                - {type: Pods, value: 4, periodSeconds: 15}
                - {type: Percent, value: 100, periodSeconds: 15}
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: worker}
        replicas: {max: 40}
        signals:
          - name: queue_ready
            kind: pressure
            query: sum(queue_ready{queue="tasks"})
            target: {averageValue: "25"}
        behavior:
          scaleDown:
            stabilizationWindowSeconds: 120
            selectPolicy: Min
            policies:
              - {type: Pods, value: 3, periodSeconds: 60}
              - {type: Percent, value: 20, periodSeconds: 60}
        incumbent: {target: 0.7, window: 2m}
        """,
    ),
    Example(
        "hpa-v2beta2-by-memory",
        """
        apiVersion: autoscaling/v2beta2
        kind: HorizontalPodAutoscaler
        metadata: {name: cache}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: cache}
          maxReplicas: 6
          metrics:
            - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 350Mi}}}
            - {type: Resource, resource: {name: ephemeral-storage, target: {type: AverageValue, averageValue: 1Gi}}}
        """,
        r"""
        target: {apiVersion: apps/v1, kind: Deployment, name: cache}
        replicas: {max: 6}
        signals:
          - name: memory
            kind: demand
            query: >-
              sum (container_memory_working_set_bytes{namespace="$namespace",
              pod=~"$name-[a-z0-9]{1,10}-[a-z0-9]{5}", container!="", container!="POD"})
            capacityPerReplica: "524288000"
        incumbent: {target: 0.7}
        """,
        lost=("spec.metrics[1]",),
    ),
)

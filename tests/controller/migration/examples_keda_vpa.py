"""ScaledObjects and VerticalPodAutoscalers of the shapes that the documentation of KEDA and VPA shows."""

from __future__ import annotations

from tests.controller.migration.examples import Example

EXAMPLES = (
    Example(
        "keda-prometheus",
        """
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata: {name: requests, namespace: web}
        spec:
          scaleTargetRef: {name: front}
          minReplicaCount: 2
          maxReplicaCount: 30
          triggers:
            - type: prometheus
              metadata:
                serverAddress: http://prometheus.monitoring:9090
                query: sum(rate(http_requests_total{app="front"}[1m]))
                threshold: "140"
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: front}
        replicas: {min: 2, max: 30}
        signals:
          - name: load
            kind: demand
            query: sum(rate(http_requests_total{app="front"}[1m]))
            capacityPerReplica: "200"
        incumbent: {target: 0.7}
        """,
        lost=("spec.triggers[0].metadata.serverAddress",),
    ),
    Example(
        "keda-cpu-memory-and-cron",
        """
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata: {name: office, namespace: web}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: office}
          minReplicaCount: 1
          triggers:
            - {type: cpu, metricType: Utilization, metadata: {value: "60"}}
            - {type: memory, metricType: Utilization, metadata: {value: "75"}}
            - type: cron
              metadata: {timezone: Europe/Berlin, start: 0 7 * * 1-5, end: 30 19 * * 1-5, desiredReplicas: "8"}
        """,
        """
        target: {apiVersion: apps/v1, kind: StatefulSet, name: office}
        replicas:
          max: 100
          schedules:
            - {cron: 0 7 * * 1-5, timezone: Europe/Berlin, duration: 12h30m, min: 8}
        signals:
          - name: cpu
            kind: demand
            preset: cadvisor/cpu
            match: {namespace: $namespace}
            capacityFromRequest: {resource: cpu}
          - name: memory
            kind: demand
            preset: cadvisor/memory
            match: {namespace: $namespace}
            capacityFromRequest: {resource: memory}
        incumbent: {target: 0.6}
        """,
        lost=("spec.triggers[1]",),
        handed_back="""
        minReplicas: 8
        maxReplicas: 100
        metrics:
          - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
          - {type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}
        """,
    ),
    Example(
        "keda-with-everything-that-has-no-counterpart",
        """
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata:
          name: orders
          namespace: web
          annotations: {autoscaling.keda.sh/paused-replicas: "4", autoscaling.keda.sh/paused: "true"}
        spec:
          scaleTargetRef: {name: orders, envSourceContainerName: main}
          pollingInterval: 20
          cooldownPeriod: 200
          initialCooldownPeriod: 10
          idleReplicaCount: 0
          minReplicaCount: 1
          maxReplicaCount: 20
          fallback: {failureThreshold: 3, replicas: 6, behavior: static}
          advanced:
            restoreToOriginalReplicaCount: true
            horizontalPodAutoscalerConfig:
              name: orders-hpa
              behavior: {scaleDown: {stabilizationWindowSeconds: 90}}
            scalingModifiers: {formula: "(a + b) / 2", target: "3", metricType: AverageValue}
          triggers:
            - type: prometheus
              name: a
              metricType: Value
              useCachedMetrics: true
              metadata:
                query: max(orders_waiting)
                threshold: "60"
                activationThreshold: "5"
                ignoreNullValues: "false"
                unsafeSsl: "true"
              authenticationRef: {name: prom-auth}
            - type: kafka
              name: b
              metadata: {bootstrapServers: "kafka:9092", topic: orders, lagThreshold: "50"}
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: orders}
        replicas: {max: 20}
        signals:
          - {name: a, kind: pressure, query: max(orders_waiting), target: {value: "60"}}
        behavior: {scaleDown: {stabilizationWindowSeconds: 90}}
        incumbent: {target: 0.7, window: 1m30s}
        """,
        lost=(
            "metadata.annotations.autoscaling.keda.sh/paused-replicas",
            "metadata.annotations.autoscaling.keda.sh/paused",
            "spec.scaleTargetRef.envSourceContainerName",
            "spec.pollingInterval",
            "spec.cooldownPeriod",
            "spec.initialCooldownPeriod",
            "spec.idleReplicaCount",
            "spec.fallback",
            "spec.advanced.restoreToOriginalReplicaCount",
            "spec.advanced.horizontalPodAutoscalerConfig.name",
            "spec.advanced.scalingModifiers",
            "spec.triggers[0].useCachedMetrics",
            "spec.triggers[0].metadata.activationThreshold",
            "spec.triggers[0].metadata.ignoreNullValues",
            "spec.triggers[0].metadata.unsafeSsl",
            "spec.triggers[0].authenticationRef",
            "spec.triggers[1]",
        ),
    ),
    Example(
        "vpa-with-what-it-sizes",
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: mill}
        spec: {replicas: 3}
        ---
        apiVersion: autoscaling.k8s.io/v1
        kind: VerticalPodAutoscaler
        metadata: {name: mill-vpa}
        spec:
          targetRef: {apiVersion: apps/v1, kind: Deployment, name: mill}
          updatePolicy: {updateMode: Auto, minReplicas: 2}
          resourcePolicy:
            containerPolicies:
              - {containerName: "*", minAllowed: {cpu: 150m}, controlledResources: [cpu, memory]}
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: mill}
        replicas: {min: 3, max: 3}
        signals:
          - name: cpu
            kind: demand
            preset: cadvisor/cpu
            match: {namespace: $namespace}
            capacityFromRequest: {resource: cpu}
        resources: recommend
        incumbent: {target: 0.7}
        """,
        lost=("spec.updatePolicy.updateMode", "spec.updatePolicy.minReplicas", "spec.resourcePolicy"),
    ),
    Example(
        "vpa-beside-an-hpa",
        """
        apiVersion: autoscaling.k8s.io/v1
        kind: VerticalPodAutoscaler
        metadata: {name: api-vpa, namespace: shop}
        spec:
          targetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
          recommenders: [{name: foresail}]
          updatePolicy: {updateMode: "Off"}
        ---
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: api, namespace: shop}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
          maxReplicas: 8
          metrics:
            - {type: External, external: {metric: {name: jobs_total}, target: {type: AverageValue, averageValue: 7}}}
        """,
        """
        target: {apiVersion: apps/v1, kind: Deployment, name: api}
        replicas: {max: 8}
        signals:
          - name: jobs_total
            kind: demand
            query: sum(rate(jobs_total[2m]))
            capacityPerReplica: "10"
        resources: recommend
        incumbent: {target: 0.7}
        """,
    ),
)

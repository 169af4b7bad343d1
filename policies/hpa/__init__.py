"""The rules of Kubernetes' HorizontalPodAutoscaler v2, for all lanes at once.

Source: kubernetes 1.36, `pkg/controller/podautoscaler`, as documented; verified by `tests/conformance`.
"""

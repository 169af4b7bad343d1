"""KEDA's ScaledObjects as drafts of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.autoscalers import scaled_object_of, trigger_of
from controller.migration.cron import schedule_of
from controller.migration.draft import Draft, Measure
from controller.migration.notes import Note, unread
from simulations.audit.autoscaler import OtherMetric

if TYPE_CHECKING:
    from controller.clients.kubernetes import JsonObject
    from simulations.audit.autoscaler import Autoscaler

_TRIGGERS = ("prometheus", "cpu", "memory", "cron")
_READ = frozenset(
    {
        "spec.scaleTargetRef.apiVersion",
        "spec.scaleTargetRef.kind",
        "spec.scaleTargetRef.name",
        "spec.minReplicaCount",
        "spec.maxReplicaCount",
        "spec.advanced.horizontalPodAutoscalerConfig.behavior",
        *(f"spec.triggers[].{name}" for name in ("type", "metricType", "name")),
        *(f"spec.triggers[].metadata.{name}" for name in ("query", "threshold")),  # prometheus
        *(f"spec.triggers[].metadata.{name}" for name in ("value", "type", "containerName")),  # cpu and memory
        *(f"spec.triggers[].metadata.{name}" for name in ("timezone", "start", "end", "desiredReplicas")),  # cron
    }
)
_ACTIVATION = "a workload does not go to zero here, so that nothing has to wake it"
_SERVER = "Foresail asks the one Prometheus of its settings; check that it has the series of this one"
_CREDENTIALS = "how Prometheus is reached is in the settings of Foresail (prometheus_...)"
_WHY = {
    "spec.pollingInterval": "Foresail reads every 15 s, or as its interval says",
    "spec.cooldownPeriod": "it is the wait before zero; behavior.scaleDown is carried over where it is written",
    "spec.initialCooldownPeriod": "it is the wait before the first zero",
    "spec.idleReplicaCount": "spec.replicas.min holds at all times",
    "spec.fallback": "data that fails never lowers here and holds what there is; put what must always be there into"
    " spec.replicas.min",
    "spec.advanced.restoreToOriginalReplicaCount": "what is there stays when Foresail lets go",
    "spec.advanced.scalingModifiers": "a policy has no formula over signals; each trigger became a signal of its own,"
    " at its own threshold, and the largest wins",
    "spec.advanced.horizontalPodAutoscalerConfig.name": "there is no HPA any more",
    "spec.triggers[].authenticationRef": _CREDENTIALS,
    "spec.triggers[].metadata.serverAddress": _SERVER,
    "spec.triggers[].metadata.authModes": _CREDENTIALS,
    "spec.triggers[].metadata.customHeaders": _CREDENTIALS,
    "spec.triggers[].metadata.unsafeSsl": _CREDENTIALS,
    "spec.triggers[].metadata.activationThreshold": _ACTIVATION,
    "spec.triggers[].metadata.activationValue": _ACTIVATION,
    "spec.triggers[].metadata.ignoreNullValues": "an empty answer is no zero here: it holds, and never lowers",
}
_PAUSES = "autoscaling.keda.sh/"
_PAUSED = {
    "paused": "KEDA is paused on it; the policy decides in shadow all the same",
    "paused-replicas": "KEDA keeps it at this count; annotate the target with foresail.dev/replicas for the same",
    "paused-scale-in": "set behavior.scaleDown.selectPolicy to Disabled for the same",
    "paused-scale-out": "set behavior.scaleUp.selectPolicy to Disabled for the same",
}


def scaled_object_draft(item: JsonObject) -> Draft:
    """Decode a ScaledObject. Raises KeyError, TypeError and ValueError for what is none."""
    spec: dict[str, Any] = item["spec"]
    scaled, measures, schedules = scaled_object_of(item), [], []
    triggers = spec.get("triggers") or ()
    known = [each if each.get("type") in _TRIGGERS else None for each in triggers]  # of others there is one note
    notes = [*_annotated(item), *unread({"spec": {**spec, "triggers": known}}, _READ, _WHY)]
    for place, given in enumerate(triggers):
        path = f"spec.triggers[{place}]"
        if given.get("type") != "cron":
            measures.append(_measure(given, path))
            continue
        try:
            schedules.append(_schedule(given, scaled))
        except ValueError as error:
            notes.append(Note(path, str(error)))
    return Draft(scaled, tuple(measures), tuple(notes), tuple(schedules))


def _schedule(given: JsonObject, scaled: Autoscaler) -> dict[str, object]:
    return schedule_of(given.get("metadata") or {}, max(1, scaled.min_replicas), scaled.max_replicas)


def _measure(given: JsonObject, path: str) -> Measure:
    """One trigger; a target of the total is decoded like one of each replica."""
    total, name = given.get("metricType") == "Value", str(given.get("name") or "")
    metric = trigger_of({**given, "metricType": "AverageValue"} if total else given)
    if isinstance(metric, OtherMetric):
        metric = OtherMetric(metric.name, metric.why.removesuffix("; its part is not replayed"))
    return Measure(path, metric, total, name)


def _annotated(item: JsonObject) -> list[Note]:
    names = [name for name in item["metadata"].get("annotations") or {} if name.startswith(_PAUSES)]
    return [
        Note(f"metadata.annotations.{name}", _PAUSED.get(name.removeprefix(_PAUSES), "is KEDA's own")) for name in names
    ]

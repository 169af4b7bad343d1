"""The cluster: whether it answers, its clock, each policy's target, and who else scales it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.discovery import Resource
from controller.adapters.kubernetes.listing import items
from controller.clients.kubernetes import ApiFailure
from controller.collect.questions import surge_of, target_of
from controller.doctor.finding import Finding, Severity, well
from policies.spec import DemandSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.clients.kubernetes import KubernetesSession
    from controller.records import ClusterView, PodView, TargetRef
    from policies.spec import WorkloadPolicy

VPAS = Resource("autoscaling.k8s.io/v1", "verticalpodautoscalers")

_TARGETS = "targets"


async def examine_server(session: KubernetesSession) -> list[Finding]:
    """Whether the API server answers, and its version."""
    try:
        version = await session.get("/version")
    except ApiFailure as failure:
        means = "Nothing is seen of the workloads and nothing is scaled."
        mend = "See --kubeconfig and --context, the token, and that a NetworkPolicy lets Foresail reach the server."
        return [Finding("kubernetes", Severity.ERROR, session.host, f"does not answer: {failure}", means, mend)]
    return [well("kubernetes", session.host, f"answers; version {version.get('gitVersion', 'not told')}")]


def examine_targets(policies: Sequence[WorkloadPolicy], view: ClusterView) -> list[Finding]:
    """Each policy's objects: whether they can be read, who else scales them, and what keeps Foresail from it."""
    found = []
    if view.killed is not None:
        mend = "Remove the switch when the reason for it is gone."
        means = "Nothing is written anywhere."
        found.append(Finding(_TARGETS, Severity.WARNING, "kill switch", f"is on: {view.killed}", means, mend))
    for policy in policies:
        refs = (target_of(policy), surge_of(policy))
        found += [each for ref in refs if ref is not None and (each := _of_target(policy, ref, view)) is not None]
        found += _requests(policy, view.pods.get(refs[0], ()))
    return found or [well(_TARGETS, "workloads", f"{len(policies)} can be read, and nobody stands in the way")]


def _of_target(policy: WorkloadPolicy, ref: TargetRef, view: ClusterView) -> Finding | None:
    target, active = view.targets.get(ref), policy.spec.mode == "active"
    name = f"{ref.kind} {ref.name}"
    if target is None or target.problem is not None:
        told = f"{name} is not there" if target is None else f"{name}: {target.problem}"
        mend = "Name an object with a scale subresource in spec.target, and see that it is in the policy's namespace."
        return Finding(_TARGETS, Severity.ERROR, policy.uid, told, "The workload is held.", mend)
    if target.owner is not None and active:
        told, _, mend = target.owner.partition("; ")
        means = "Two controllers would fight over the replicas, so Foresail holds the workload."
        return Finding(_TARGETS, Severity.ERROR, policy.uid, told, means, f"{mend[:1].upper()}{mend[1:]}.")
    if policy.spec.mode == "floor" and target.owner is None:
        mend = "Make an HPA or a ScaledObject that follows the metric: `foresail policy floor` writes one."
        told = f"no autoscaler scales {name}, and spec.mode is floor"
        return Finding(_TARGETS, Severity.ERROR, policy.uid, told, "Nobody follows what Foresail publishes.", mend)
    if target.paused:
        mend = f"kubectl annotate {ref.kind.lower()} {ref.name} -n {ref.namespace} foresail.dev/paused-"
        return Finding(_TARGETS, Severity.WARNING, policy.uid, f"{name} is paused", "The workload is held.", mend)
    return None


def _requests(policy: WorkloadPolicy, pods: Sequence[PodView]) -> list[Finding]:
    """Signals whose capacity is a request that the pods do not have."""
    found = []
    for signal in policy.spec.signals:
        wanted = signal.capacity_from_request if isinstance(signal, DemandSignal) else None
        if wanted is None:
            continue
        own = {
            each.name
            for pod in pods
            for each in pod.containers
            if wanted.container in (None, each.name)
            and (each.cpu_milli if wanted.resource == "cpu" else each.memory_milli) is None
            and (pod.pod_cpu_milli if wanted.resource == "cpu" else pod.pod_memory_milli) is None
        }
        if own:
            lacking = ", ".join(sorted(own))
            told = f"signal {signal.name} rests on the {wanted.resource} request, which {lacking} has not"
            means = "What a replica can serve is not known, so the signal decides nothing."
            mend = f"Give every container a {wanted.resource} request, or the signal a capacityPerReplica."
            found.append(Finding(_TARGETS, Severity.ERROR, policy.uid, told, means, mend))
    return found


async def examine_vertical(session: KubernetesSession, policies: Sequence[WorkloadPolicy]) -> list[Finding]:
    """VerticalPodAutoscalers that change the request by which a policy counts replicas. Raises ApiFailure."""
    counted = {
        (policy.metadata.namespace, policy.spec.target.kind, policy.spec.target.name): (policy, _resources(policy))
        for policy in policies
        if _resources(policy)
    }
    found = []
    for namespace in sorted({namespace for namespace, _, _ in counted}):
        for item in await _vpas(session, namespace):
            spec, name = item.get("spec") or {}, item["metadata"]["name"]
            target = spec.get("targetRef") or {}
            policy, resources = counted.get((namespace, target.get("kind", ""), target.get("name", "")), (None, ()))
            for resource in resources:
                if policy is None or not _changes(spec, resource):
                    continue
                told = f"VerticalPodAutoscaler {name} changes the {resource} request by which its replicas are counted"
                means = "Each new size moves the count and each new count the size: both swing."
                mend = f"Set its updateMode to Off, or leave {resource} out of its controlledResources."
                found.append(Finding("vertical", Severity.ERROR, policy.uid, told, means, mend))
    return found


def _changes(spec: dict[str, Any], resource: str) -> bool:
    """Whether a VerticalPodAutoscaler writes a resource of any container."""
    if (spec.get("updatePolicy") or {}).get("updateMode", "Auto") == "Off":
        return False
    containers = (spec.get("resourcePolicy") or {}).get("containerPolicies") or [{}]
    return any(resource in (each.get("controlledResources") or ("cpu", "memory")) for each in containers)


async def _vpas(session: KubernetesSession, namespace: str) -> list[dict[str, Any]]:
    try:
        return [item async for item in items(session, VPAS, namespace)]
    except ApiFailure as failure:
        if failure.denied:  # none are installed, or they are not for this account to see
            return []
        raise


def _resources(policy: WorkloadPolicy) -> tuple[str, ...]:
    """The resources by whose request its replicas are counted."""
    signals = [each for each in policy.spec.signals if isinstance(each, DemandSignal)]
    wanted = {each.capacity_from_request.resource for each in signals if each.capacity_from_request is not None}
    return tuple(sorted(wanted))

"""What the account may do, asked of the API server itself, beside what the policies need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.objects import group_of
from controller.clients.kubernetes import ApiFailure, Request
from controller.doctor.finding import Finding, Severity, well

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import KubernetesSession
    from policies.spec import WorkloadPolicy

_CHECK = "permissions"
_WATCH = ("get", "list", "watch")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """A right that is needed, and what does not work without it. No namespace: for the whole cluster."""

    namespace: str
    group: str
    resource: str
    verb: str
    without: str
    severity: Severity = Severity.ERROR
    name: str = ""

    def __str__(self) -> str:
        place = f"in {self.namespace}" if self.namespace else "in all namespaces"
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}{f' {self.name}' if self.name else ''} {place}"


@dataclass(frozen=True, slots=True)
class Account:
    """Who is asked about; nobody named: who asks."""

    user: str = ""

    @property
    def shown(self) -> str:
        """Who it is, in words."""
        return self.user or "this account"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that an API server gives to a service account, or to any user."""
        parts = self.user.split(":")
        if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:  # noqa: PLR2004 - and namespace and name
            return ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", "system:authenticated")
        return ("system:authenticated",)


async def needs_of(
    policies: Sequence[WorkloadPolicy], discovery: Discovery, own_namespace: str, kill_switch: str
) -> list[Need]:
    """What these policies need, each right once. Raises ApiFailure; kinds that the server lacks need nothing."""
    found = {
        Need(own_namespace, "", "configmaps", verb, "The kill switch is not seen.", Severity.WARNING, kill_switch)
        for verb in _WATCH
    }
    for policy in policies:
        found.update(_of_namespace(policy.metadata.namespace))
        for target in policy.targets().values():
            resource = (await discovery.resource_of(target.api_version, target.kind)).plural
            found.update(_of_target(policy, group_of(target.api_version), resource))
        if policy.spec.placement is not None:
            found.update(Need("", "", "nodes", verb, "Notices of spot nodes are not seen.") for verb in _WATCH)
    return sorted(found)


def _of_namespace(namespace: str) -> Iterator[Need]:
    for verb in _WATCH:
        yield Need(namespace, "", "pods", verb, "Ready pods are not known: workloads are held.")
        yield Need(
            namespace, "autoscaling", "horizontalpodautoscalers", verb, "An HPA that scales the same is not seen."
        )
        yield Need(namespace, "", "resourcequotas", verb, "When a quota will be reached is not told.", Severity.WARNING)
    for verb in ("create", "patch"):
        yield Need(namespace, "", "events", verb, "Nothing is told on the objects themselves.", Severity.WARNING)


def _of_target(policy: WorkloadPolicy, group: str, resource: str) -> Iterator[Need]:
    namespace = policy.metadata.namespace
    for verb in _WATCH:
        yield Need(namespace, group, resource, verb, "The target cannot be read: the workload is held.")
    if policy.spec.mode == "active":
        for verb in ("get", "patch"):
            yield Need(
                namespace, group, f"{resource}/scale", verb, "The scale cannot be written: the workload is held."
            )


async def examine_rights(session: KubernetesSession, needs: Sequence[Need], account: Account) -> list[Finding]:
    """Ask for each right; those that are lacking become findings. Raises ApiFailure when the server does not say."""
    lacking = [need for need in needs if not await _may(session, need, account)]
    if not lacking:
        return [well(_CHECK, account.shown, f"has all {len(needs)} rights that the policies need")]
    mend = "Apply deploy/rbac.yaml, and bind its ClusterRole in each namespace that has policies."
    return [Finding(_CHECK, need.severity, account.shown, f"may not {need}", need.without, mend) for need in lacking]


async def _may(session: KubernetesSession, need: Need, account: Account) -> bool:
    resource, _, subresource = need.resource.partition("/")
    attributes = {
        "namespace": need.namespace,
        "group": need.group,
        "resource": resource,
        "subresource": subresource,
        "verb": need.verb,
        "name": need.name,
    }
    kind, spec = "SelfSubjectAccessReview", {"resourceAttributes": attributes}
    if account.user:
        kind, spec = "SubjectAccessReview", {**spec, "user": account.user, "groups": list(account.groups)}  # type: ignore[dict-item]  # as the API has it
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await session.ask(Request(f"/apis/authorization.k8s.io/v1/{kind.lower()}s", "POST", body=body))
    status = answer.get("status")
    if not isinstance(status, dict) or "allowed" not in status:
        raise ApiFailure(0, f"{kind}: the server answered something else than a review")
    return bool(status["allowed"])

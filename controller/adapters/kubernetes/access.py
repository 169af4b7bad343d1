"""Who may act, as the API server says: TokenReview for who calls, SubjectAccessReview for what they may do.

Whoever may scale a target by hand may tell Foresail what to do with it; so may whoever may update its policies.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.discovery import Unscalable
from controller.adapters.kubernetes.objects import group_of
from controller.clients.kubernetes import ApiFailure, Request
from controller.errors import Unavailable
from controller.records import Person

if TYPE_CHECKING:
    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from controller.ports import Clock
    from controller.records import TargetRef

BY = "kubernetes"
KEPT_S = 10.0  # an answer about a token: as long as a revoked one may still be taken
POLICIES = ("foresail.dev", "workloadpolicies")

_MOST_KEPT = 1000
_AT_ONCE = 4
_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_RIGHTS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass(slots=True)
class KubernetesAccess:
    """Asks the API server; what it says of a token is kept for ten seconds, what it says of rights is not."""

    session: KubernetesSession
    discovery: Discovery
    clock: Clock
    _kept: OrderedDict[bytes, tuple[Person | None, float]] = field(default_factory=OrderedDict, repr=False)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def person(self, token: str) -> Person | None:
        """Whose token this is. Raises Unavailable when the API server does not say."""
        key = sha256(token.encode()).digest()
        found, at_s = self._kept.get(key, (None, float("-inf")))
        if self.clock.elapsed_s() - at_s < KEPT_S:
            return found
        status = await self._asked(_TOKENS, "TokenReview", {"token": token})
        found = _person(status.get("user") or {}) if status.get("authenticated") is True else None
        self._kept[key] = (found, self.clock.elapsed_s())
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    async def may_act(self, person: Person, target: TargetRef | None) -> str | None:
        """None where they may update the target's scale, or the policies there. Raises Unavailable."""
        group, plural = POLICIES
        asked = [{"verb": "update", "group": group, "resource": plural}]
        words = "update workloadpolicies.foresail.dev in all namespaces"
        if target is not None:
            scale = await self._scale(target)
            asked = [scale, asked[0] | {"namespace": target.namespace}]
            of = f"{scale['resource']}/scale {target.name}"
            words = f"update {of}, nor workloadpolicies.foresail.dev, in namespace {target.namespace}"
        for attributes in asked:
            if await self._allowed(person, attributes):
                return None
        return f"Kubernetes does not let them {words}"

    async def _scale(self, target: TargetRef) -> dict[str, str]:
        try:
            resource = await self.discovery.resource_of(target.api_version, target.kind)
        except (ApiFailure, Unscalable) as error:
            raise Unavailable(f"what {target.kind} is cannot be asked of the API server: {error}") from error
        return {
            "verb": "update",
            "group": group_of(target.api_version),
            "resource": resource.plural,
            "subresource": "scale",
            "namespace": target.namespace,
            "name": target.name,
        }

    async def _allowed(self, person: Person, attributes: dict[str, str]) -> bool:
        spec: dict[str, Any] = {
            "user": person.name,
            "groups": list(person.groups),
            "extra": {name: list(values) for name, values in person.extra},
            "resourceAttributes": attributes,
        }
        if person.uid:
            spec["uid"] = person.uid
        status = await self._asked(_RIGHTS, "SubjectAccessReview", spec)
        return status.get("allowed") is True and status.get("denied") is not True

    async def _asked(self, path: str, kind: str, spec: dict[str, Any]) -> JsonObject:
        """The status of a review. Its errors never hold what was sent."""
        body = {"apiVersion": path.removeprefix("/apis/").rpartition("/")[0], "kind": kind, "spec": spec}
        try:
            async with self._gate:
                answer = await self.session.ask(Request(path, "POST", body=body))
        except ApiFailure as failure:
            told = " (apply deploy/rbac.yaml)" if failure.denied else ""
            raise Unavailable(f"{kind}: {failure.message}{told}") from failure
        status = answer.get("status")
        if not isinstance(status, dict):
            raise Unavailable(f"{kind}: the API server's answer has no status")
        return status


def _person(user: JsonObject) -> Person | None:
    name = user.get("username")
    if not isinstance(name, str) or not name:
        return None
    extra = tuple((str(key), tuple(map(str, values or ()))) for key, values in (user.get("extra") or {}).items())
    return Person(name, tuple(map(str, user.get("groups") or ())), str(user.get("uid") or ""), extra, BY)

"""Which pods a targetRef means: by the selector of the kinds that everybody knows, else by that of the scale."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.discovery import KEPT_S, Resource, Unscalable
from controller.adapters.kubernetes.objects import group_of
from controller.adapters.kubernetes.selectors import Selector, equal_terms, parse_selector, selector_of
from controller.clients.kubernetes import ApiFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from controller.ports import Clock
    from controller.records import TargetRef

AT_ONCE = 8
RETRY_S = 60.0  # after a failure

_KNOWN = {
    ("apps", "Deployment"): "deployments",
    ("apps", "StatefulSet"): "statefulsets",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "DaemonSet"): "daemonsets",
    ("", "ReplicationController"): "replicationcontrollers",
    ("batch", "Job"): "jobs",
    ("batch", "CronJob"): "cronjobs",
}


@dataclass(frozen=True, slots=True)
class Unselected:
    """Why a target's pods cannot be found: `lasting` where the server answered, and the target is at fault."""

    why: str
    lasting: bool


class TargetSelectors:
    """Asks for the selector of each target, and knows it for ten minutes."""

    def __init__(self, session: KubernetesSession, discovery: Discovery, clock: Clock) -> None:
        """Know nothing yet."""
        self._session = session
        self._discovery = discovery
        self._clock = clock
        self._known: dict[TargetRef, tuple[Selector | Unselected, float]] = {}  # and until when
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def of(self, refs: Iterable[TargetRef]) -> dict[TargetRef, Selector | Unselected]:
        """The selector of each target, or why there is none. Never raises.

        What was known stays known while the server cannot be asked.
        """
        wanted = set(refs)
        now_s = self._clock.elapsed_s()
        self._known = {ref: known for ref, known in self._known.items() if ref in wanted}
        due = [ref for ref in wanted if ref not in self._known or self._known[ref][1] <= now_s]
        found = await asyncio.gather(*(self._found(ref) for ref in due))
        for ref, selector in zip(due, found, strict=True):
            known, kept_s = selector, KEPT_S if isinstance(selector, Selector) else RETRY_S
            if isinstance(selector, Unselected) and not selector.lasting and ref in self._known:
                known = self._known[ref][0]
            self._known[ref] = (known, now_s + kept_s)
        return {ref: self._known[ref][0] for ref in wanted}

    async def _found(self, ref: TargetRef) -> Selector | Unselected:
        name = f"{ref.kind} {ref.namespace}/{ref.name}"
        try:
            async with self._limit:
                return await self._asked(ref)
        except ApiFailure as failure:
            return Unselected(f"{name} cannot be read: {failure}", lasting=failure.denied)
        except Unscalable as error:
            return Unselected(str(error), lasting=True)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return Unselected(f"{name} has no selector that can be understood: {error!r}", lasting=True)

    async def _asked(self, ref: TargetRef) -> Selector | Unselected:
        plural = _KNOWN.get((group_of(ref.api_version), ref.kind))
        if plural is not None:
            resource = Resource(ref.api_version, plural)
            selector = _own(ref.kind, await self._session.get(f"{resource.path(ref.namespace)}/{ref.name}"))
        else:
            resource = await self._discovery.resource_of(ref.api_version, ref.kind)
            scale = await self._session.get(resource.scale_path(ref))
            selector = parse_selector((scale.get("status") or {}).get("selector") or "")
        if not selector.terms:
            name = f"{ref.kind} {ref.namespace}/{ref.name}"
            return Unselected(f"{name} tells no selector, so its pods cannot be found", lasting=True)
        return selector


def _own(kind: str, item: JsonObject) -> Selector:
    spec = item["spec"]
    if kind == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if kind in {"Job", "CronJob"}:  # their own selector is made anew for each run
        return Selector(equal_terms((spec["template"].get("metadata") or {}).get("labels") or {}))
    given = spec.get("selector") or {}
    return Selector(equal_terms(given)) if kind == "ReplicationController" else selector_of(given)

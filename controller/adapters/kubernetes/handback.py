"""Hands workloads back to plain autoscalers, and takes them over again; needs no running Foresail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.discovery import Unscalable
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.objects import PAUSED, says_stop
from controller.adapters.kubernetes.owners import Scaler, Scalers, scaler_of_hpa, scaler_of_scaled_object
from controller.adapters.kubernetes.takeover import MANAGER, REASON, Refused, Takeover
from controller.clients.kubernetes import MERGE_PATCH, ApiFailure, Request
from controller.records import TargetRef
from policies.plain_hpa import HANDED_BACK, plain_hpa

if TYPE_CHECKING:
    from controller.adapters.kubernetes.discovery import Discovery, Resource
    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from policies.spec import WorkloadPolicy


class Outcome(StrEnum):
    """What became of one workload."""

    HANDED_BACK = "handed-back"
    TAKEN_OVER = "taken-over"
    UNCHANGED = "unchanged"
    SCALED_ALREADY = "scaled-already"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Handed:
    """One workload, what became of it, and more in words."""

    workload: str
    outcome: Outcome
    message: str
    as_it_was: bool = False  # its own autoscaler came back


class Handback:
    """Pauses Foresail on a target by its annotation and puts an autoscaler there; each workload on its own."""

    def __init__(self, session: KubernetesSession, discovery: Discovery) -> None:
        """Write through this session, with the rights of who called."""
        self._session = session
        self._discovery = discovery
        self._takeover = Takeover(session, discovery)
        self._known: dict[str, tuple[Scalers, set[str]]] = {}  # by namespace: listed once
        self._listing = asyncio.Lock()

    async def hand_back(self, policy: WorkloadPolicy) -> Handed:
        """Leave the workload with a plain autoscaler. Foresail is paused first, so that two never scale at once."""
        hpa = plain_hpa(policy)
        try:
            given_back = await self._takeover.give_back(policy)
            if given_back is not None:
                return Handed(policy.uid, Outcome.HANDED_BACK, f"{given_back}, as it was", as_it_was=True)
            hpas = await self._hpas()
            targets = await self._targets(policy)
            other, own = await self._scalers(policy)
            if other is not None:
                return Handed(policy.uid, Outcome.SCALED_ALREADY, f"{other.kind} {other.name} scales it already")
            for target in targets:
                if not says_stop(_annotations(await self._session.get(target)), PAUSED):  # a person's own pause stays
                    await self._annotate(target, REASON)
        except (ApiFailure, Unscalable, Refused) as error:
            return Handed(policy.uid, Outcome.FAILED, f"it is not handed back: {error}; calling again goes on")
        name = f"HorizontalPodAutoscaler {_name(hpa)}"
        if own is not None:
            return Handed(policy.uid, Outcome.UNCHANGED, f"{name} is there already")
        try:
            hpa["apiVersion"] = hpas.api_version
            await self._session.ask(Request(hpas.path(policy.metadata.namespace), "POST", MANAGER, hpa))
        except ApiFailure as failure:
            paused = f"Foresail is paused on it ({PAUSED}), and nothing scales it"
            return Handed(policy.uid, Outcome.FAILED, f"{name} was not made: {failure}; {paused}")
        return Handed(policy.uid, Outcome.HANDED_BACK, name)

    async def take_over(self, policy: WorkloadPolicy) -> Handed:
        """Remove the autoscaler that `hand_back` made, and then its pause."""
        try:
            targets = await self._targets(policy)
            _, own = await self._scalers(policy)
            if own is not None:
                hpas = await self._hpas()
                await self._session.ask(Request(f"{hpas.path(own.namespace)}/{own.name}", "DELETE"))
            objects = {target: await self._session.get(target) for target in targets}
            paused = [target for target, item in objects.items() if _annotations(item).get(PAUSED) == REASON]
            for target in paused:
                await self._annotate(target, None)
        except (ApiFailure, Unscalable) as error:
            return Handed(policy.uid, Outcome.FAILED, f"{error}")
        if own is None and not paused:
            return Handed(policy.uid, Outcome.UNCHANGED, "was not handed back")
        return Handed(policy.uid, Outcome.TAKEN_OVER, "Foresail may scale it again, where its mode is active")

    async def take(self, policy: WorkloadPolicy) -> Handed:
        """Take the workload over from the autoscaler that scales it, and let Foresail scale it."""
        try:
            name = await self._takeover.take(policy)
        except (ApiFailure, Unscalable, Refused) as error:
            return Handed(policy.uid, Outcome.FAILED, f"{error}")
        if name is None:
            return Handed(policy.uid, Outcome.UNCHANGED, "no autoscaler scales it")
        return Handed(policy.uid, Outcome.TAKEN_OVER, f"from {name}")

    async def _hpas(self) -> Resource:
        """Autoscalers in a version that has metrics. Raises ApiFailure, Unscalable."""
        found = await self._discovery.autoscalers()
        if found is None or found.api_version == "autoscaling/v1":
            raise Unscalable("the server has no autoscaling/v2, which Kubernetes has since 1.23")
        return found

    async def _targets(self, policy: WorkloadPolicy) -> list[str]:
        """The paths of the objects, that on spot nodes among them. Raises ApiFailure, Unscalable."""
        paths = []
        for each in policy.targets().values():
            resource = await self._discovery.resource_of(each.api_version, each.kind)
            paths.append(f"{resource.path(policy.metadata.namespace)}/{each.name}")
        return paths

    async def _scalers(self, policy: WorkloadPolicy) -> tuple[Scaler | None, Scaler | None]:
        """Who else scales the object, and the autoscaler that was made here. Raises ApiFailure."""
        namespace, target = policy.metadata.namespace, policy.spec.target
        async with self._listing:
            if namespace not in self._known:
                self._known[namespace] = await self._listed(namespace)
        scalers, made_here = self._known[namespace]
        of_target = scalers.of(TargetRef(target.api_version, target.kind, namespace, target.name))
        own = [each for each in of_target if each.kind != "ScaledObject" and each.name in made_here]
        return next((each for each in of_target if each not in own), None), next(iter(own), None)

    async def _listed(self, namespace: str) -> tuple[Scalers, set[str]]:
        hpas = [item async for item in items(self._session, await self._hpas(), namespace)]
        kind = await self._discovery.scaled_objects()
        found = Scalers()
        found.replace("HorizontalPodAutoscaler", namespace, map(scaler_of_hpa, hpas))
        scaled_objects = [item async for item in items(self._session, kind, namespace)]
        found.replace("ScaledObject", namespace, map(scaler_of_scaled_object, scaled_objects))
        return found, {item["metadata"]["name"] for item in hpas if _is_own(item)}

    async def _annotate(self, path: str, value: str | None) -> None:
        body = {"metadata": {"annotations": {PAUSED: value}}}
        await self._session.ask(Request(path, "PATCH", MANAGER, body, MERGE_PATCH))


def _is_own(item: JsonObject) -> bool:
    labels = item["metadata"].get("labels") or {}
    return HANDED_BACK.items() <= labels.items()


def _annotations(item: JsonObject) -> dict[str, Any]:
    return item["metadata"].get("annotations") or {}


def _name(hpa: dict[str, Any]) -> str:
    return str(hpa["metadata"]["name"])

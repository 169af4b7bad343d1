"""Takes a workload over from its HPA or ScaledObject, and gives it back as it was.

What the autoscaler was stands on the target itself, as an annotation that is written before anything is taken away and
removed after all is given back. So a crash at any point leaves either the autoscaler or what is needed to make it
again, and calling once more goes on where it ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.discovery import Unscalable
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.objects import PAUSED, controller_of, says_stop, scaled_decoder
from controller.adapters.kubernetes.owners import (
    KEDA_PAUSED,
    TAKEN_OVER,
    applied_by,
    owner_of,
    scaler_of_hpa,
    scaler_of_scaled_object,
)
from controller.clients.kubernetes import MERGE_PATCH, ApiFailure, Request
from policies.plain_hpa import HANDED_BACK

if TYPE_CHECKING:
    from controller.adapters.kubernetes.discovery import Discovery, Resource
    from controller.adapters.kubernetes.owners import Scaler
    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from policies.spec import WorkloadPolicy

REASON = "handed-back"  # the value of the annotation PAUSED, by which taking over again knows its own
MANAGER = {"fieldManager": "foresail-handback"}
_LARGEST = 200_000  # bytes of an annotation: all of an object's have 262,144


class Refused(Exception):
    """It may not be taken over; the message says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Live:
    """An autoscaler as it is now."""

    resource: Resource
    scaler: Scaler
    item: JsonObject

    @property
    def path(self) -> str:
        """Where it stands."""
        return f"{self.resource.path(self.scaler.namespace)}/{self.scaler.name}"

    def saved(self) -> str:
        """What makes it again: an HPA as a whole, of a ScaledObject the pause that it had. Raises Refused."""
        metadata = self.item["metadata"]
        kept = {name: metadata[name] for name in ("name", "labels", "annotations") if metadata.get(name)}
        made: dict[str, object] = {"apiVersion": self.resource.api_version, "kind": self.scaler.kind}
        if self.scaler.kind == "ScaledObject":
            made |= {"metadata": {"name": metadata["name"]}, "paused": _annotations(self.item).get(KEDA_PAUSED)}
        else:
            made |= {"metadata": kept, "spec": self.item["spec"]}
        text = json.dumps(made, sort_keys=True)
        if len(text.encode()) > _LARGEST:
            raise Refused(f"{self.scaler.kind} {self.scaler.name} is too large to be kept as an annotation")
        return text


class Takeover:
    """Takes from autoscalers and gives back, with the rights of who called."""

    def __init__(self, session: KubernetesSession, discovery: Discovery) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._discovery = discovery

    async def take(self, policy: WorkloadPolicy) -> str | None:
        """Save the autoscaler on the target, and then stop it; None where there is none, else its name.

        Raises ApiFailure and Unscalable; Refused where it may not be taken: of a controller, of a GitOps tool, of two.
        """
        target = await self.target(policy)
        item = await self._session.get(target)
        live = await self._live(policy)
        if live is None:
            saved = saved_of(item)
            return None if saved is None else _name(saved)
        _check(policy, item, live)
        wanted: dict[str, str | None] = {TAKEN_OVER: live.saved()}
        if _annotations(item).get(PAUSED) == REASON:  # while the autoscaler is there, so that somebody always scales
            wanted[PAUSED] = None
        if any(_annotations(item).get(name) != value for name, value in wanted.items()):
            await self._annotate(target, wanted)
        if live.scaler.kind == "ScaledObject":
            await self._annotate(live.path, {KEDA_PAUSED: "true", TAKEN_OVER: "true"})
        else:
            same = {name: live.item["metadata"][name] for name in ("uid", "resourceVersion")}
            await self._session.ask(Request(live.path, "DELETE", body={"preconditions": same}))
        return f"{live.scaler.kind} {live.scaler.name}"

    async def give_back(self, policy: WorkloadPolicy) -> str | None:
        """Make the autoscaler that was taken again as it was, and pause Foresail; None where none was, else its name.

        In this order, so that somebody always scales: Foresail lets go of what an autoscaler scales. Raises ApiFailure
        and Unscalable, and Refused where what was kept cannot be read.
        """
        target = await self.target(policy)
        item = await self._session.get(target)
        saved = saved_of(item)
        if saved is None:
            return None
        namespace, name = policy.metadata.namespace, saved["metadata"]["name"]
        if saved["kind"] == "ScaledObject":
            resource = await self._discovery.scaled_objects()
            if resource is None:
                raise Unscalable("the server has no ScaledObjects any more: is KEDA installed?")
            path = f"{resource.path(namespace)}/{name}"
            await self._annotate(path, {KEDA_PAUSED: saved["paused"], TAKEN_OVER: None})
        else:
            await self._make(namespace, saved)
        if not says_stop(_annotations(item), PAUSED):  # a person's own pause stays
            await self._annotate(target, {PAUSED: REASON})
        await self._annotate(target, {TAKEN_OVER: None})
        return _name(saved)

    async def target(self, policy: WorkloadPolicy) -> str:
        """The path of the object that is scaled. Raises ApiFailure and Unscalable."""
        ref = policy.spec.target
        resource = await self._discovery.resource_of(ref.api_version, ref.kind)
        return f"{resource.path(policy.metadata.namespace)}/{ref.name}"

    async def _make(self, namespace: str, saved: JsonObject) -> None:
        path = f"/apis/{saved['apiVersion']}/namespaces/{namespace}/horizontalpodautoscalers"
        try:
            await self._session.ask(Request(path, "POST", MANAGER, saved))
        except ApiFailure as failure:
            if failure.status != HTTPStatus.CONFLICT:  # made before a crash, or by somebody else
                raise

    async def _live(self, policy: WorkloadPolicy) -> Live | None:
        """The autoscaler that scales the object now. Raises ApiFailure; Refused where there are several."""
        namespace, ref = policy.metadata.namespace, policy.spec.target
        address, found = (namespace, ref.kind, ref.name), list[Live]()
        for resource, decode in (
            (await self._discovery.scaled_objects(), scaler_of_scaled_object),
            (await self._discovery.autoscalers(), scaler_of_hpa),
        ):
            async for item in items(self._session, resource, namespace):
                scaler = decode(item)
                if resource is not None and scaler.target == address and not scaler.idle and not _of_keda(scaler):
                    found.append(Live(resource, scaler, item))
        if len(found) > 1:
            names = " and ".join(f"{each.scaler.kind} {each.scaler.name}" for each in found)
            raise Refused(f"{names} scale it both; remove one")
        return found[0] if found else None

    async def _annotate(self, path: str, annotations: dict[str, str | None]) -> None:
        body: JsonObject = {"metadata": {"annotations": annotations}}
        await self._session.ask(Request(path, "PATCH", MANAGER, body, MERGE_PATCH))


def saved_of(target: JsonObject) -> dict[str, Any] | None:
    """What was taken from the autoscaler of a target; None where nothing was. Raises Refused for what nobody wrote."""
    text = _annotations(target).get(TAKEN_OVER)
    if text is None:
        return None
    try:
        saved: dict[str, Any] = json.loads(text)
        _name(saved)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"annotation {TAKEN_OVER} of the target is no autoscaler: {error}; remove it by hand") from error
    return saved


def _check(policy: WorkloadPolicy, target: JsonObject, live: Live) -> None:
    """Raises Refused."""
    metadata = live.item["metadata"]
    name = f"{live.scaler.kind} {live.scaler.name}"
    if HANDED_BACK.items() <= (metadata.get("labels") or {}).items():
        raise Refused(f"{name} was made by `foresail handback`; `foresail handback --undo` removes it")
    if (maker := controller_of(metadata)) is not None:
        raise Refused(f"{maker.kind} {maker.name} made {name} and would make it again; turn its autoscaling off")
    if (tool := applied_by(metadata)) is not None:
        words = f"{tool[0]} applies {name} and would make it again; take it out of Git. For the target: {tool[1]}"
        raise Refused(words)
    ref = policy.spec.target
    if (owner := owner_of(scaled_decoder(ref.api_version, ref.kind)(target), ())) is not None:
        raise Refused(owner)


def _of_keda(scaler: Scaler) -> bool:
    return scaler.made_by is not None and scaler.made_by.kind == "ScaledObject"


def _annotations(item: JsonObject) -> dict[str, Any]:
    return item["metadata"].get("annotations") or {}


def _name(saved: JsonObject) -> str:
    return f"{saved['kind']} {saved['metadata']['name']}"

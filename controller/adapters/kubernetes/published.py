"""Dashboards and rules as objects of the cluster: ConfigMaps and a PrometheusRule, by server-side apply."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.discovery import CONFIG_MAPS, Resource
from controller.clients.kubernetes import ApiFailure, Request, translated
from controller.errors import Conflict, ForesailError, Rejected
from controller.publish.digest import digest_of
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.clients.kubernetes import JsonObject, KubernetesSession

FIELD_MANAGER = "foresail"
MANAGED_BY = "app.kubernetes.io/managed-by"
DIGEST = "foresail.dev/digest"  # annotation: of what was applied
APPLY = "application/apply-patch+yaml"
PROMETHEUS_RULES = Resource("monitoring.coreos.com/v1", "prometheusrules")
DASHBOARDS_NAME, RULES_NAME, RULE_NAME = "foresail-dashboards", "foresail-rules", "foresail"

_LARGEST_BYTES = 1_000_000  # the API server takes a MiB, names and fields included
_TRIES = 2  # of an object that somebody else writes at the same time


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies, and the labels by which its reader finds it."""

    resource: Resource
    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    part: str  # the field that holds what is published

    @property
    def words(self) -> str:
        """What messages call it."""
        return f"{self.kind} {self.namespace}/{self.name}"


def dashboards_place(namespace: str) -> Place:
    """The ConfigMap of all dashboards, with the label that Grafana's sidecar looks for."""
    return Place(CONFIG_MAPS, "ConfigMap", namespace, DASHBOARDS_NAME, {"grafana_dashboard": "1"}, "data")


def rules_place(namespace: str, labels: Mapping[str, str]) -> Place:
    """The ConfigMap of all rule files, to be mounted by a Prometheus."""
    return Place(CONFIG_MAPS, "ConfigMap", namespace, RULES_NAME, labels, "data")


def prometheus_rule_place(namespace: str, labels: Mapping[str, str]) -> Place:
    """The PrometheusRule of all groups, with the labels by which the operator selects rules."""
    return Place(PROMETHEUS_RULES, "PrometheusRule", namespace, RULE_NAME, labels, "spec")


class PublishedObject:
    """Keeps one object as rendered. Implements `ports.Publisher`.

    Applied without force, and with the version it was compared with: a field that another manager has taken over, and
    an object without our label, are left alone. One object holds all files, so that what is rendered no more goes with
    the next write, and rights to this one name suffice.
    """

    def __init__(
        self, session: KubernetesSession, name: str, place: Place, content: Callable[[], Mapping[str, object]]
    ) -> None:
        """Nothing is asked yet; `content` renders the part to be there, and `name` is what metrics call the target."""
        self.name = name
        self._session, self._place, self._content = session, place, content

    async def publish(self, *, write: bool = True, force: bool = False) -> tuple[Publication, ...]:
        """Bring the object up to date. Never raises: what fails is told as such."""
        content = await asyncio.to_thread(self._content)
        try:
            return (await self._settled(content, write=write, force=force),)
        except ForesailError as error:
            word = "conflict" if isinstance(error, Conflict) else "rejected" if isinstance(error, Rejected) else ""
            return (Publication(self._place.words, word or "unavailable", str(error)),)

    async def _settled(self, content: Mapping[str, object], *, write: bool, force: bool) -> Publication:
        for _ in range(_TRIES - 1):
            try:
                return await self._one(content, write=write, force=force)
            except Conflict:
                continue
        return await self._one(content, write=write, force=force)

    async def _one(self, content: Mapping[str, object], *, write: bool, force: bool) -> Publication:
        place = self._place
        wanted = _manifest(place, content)
        found = await self._found()
        if found is not None:
            kept = _why_kept(found, place.part)
            if kept and not force:
                return Publication(place.words, "kept", kept)
            if not kept and _annotation(found) == _annotation(wanted):
                return Publication(place.words, "unchanged")
            wanted["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        if write:
            await self._apply(wanted, force=force)
        return Publication(place.words, "created" if found is None else "updated")

    async def _found(self) -> JsonObject | None:
        try:
            return await self._session.get(self._path)
        except ApiFailure as failure:
            if failure.status == HTTPStatus.NOT_FOUND:
                return None
            raise translated(failure, doing=f"reading {self._place.words}") from failure

    async def _apply(self, wanted: JsonObject, *, force: bool) -> None:
        params = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        doing = f"applying {self._place.words}"
        try:
            await self._session.ask(Request(self._path, "PATCH", params, wanted, APPLY))
        except ApiFailure as failure:
            if failure.status == HTTPStatus.NOT_FOUND:
                mend = "does the namespace exist, and is the Prometheus operator installed?"
                raise Rejected(f"{doing}: {failure.message}; {mend}") from failure
            if failure.status == HTTPStatus.FORBIDDEN:
                raise Rejected(f"{doing}: {failure.message}; deploy/rbac.yaml has the rights for it") from failure
            raise translated(failure, doing=doing) from failure

    @property
    def _path(self) -> str:
        return f"{self._place.resource.path(self._place.namespace)}/{self._place.name}"


def _manifest(place: Place, content: Mapping[str, object]) -> JsonObject:
    labels = {**place.labels, MANAGED_BY: FIELD_MANAGER}
    body: JsonObject = {
        "apiVersion": place.resource.api_version,
        "kind": place.kind,
        "metadata": {
            "name": place.name,
            "namespace": place.namespace,
            "labels": labels,
            "annotations": {DIGEST: digest_of({"labels": labels, "content": content})},
        },
        place.part: content,
    }
    size = sum(len(str(value).encode()) for value in content.values())
    if size > _LARGEST_BYTES:
        raise Rejected(f"{place.words} would hold {size} bytes, more than an object may; publish files instead")
    return body


def _why_kept(found: JsonObject, part: str) -> str:
    """Why an object must be left alone; empty where it is as we applied it."""
    metadata = found["metadata"]
    if (metadata.get("labels") or {}).get(MANAGED_BY) != FIELD_MANAGER:
        return f"it is there and its label {MANAGED_BY} is not {FIELD_MANAGER}; --force takes it over"
    others = sorted({each["manager"] for each in metadata.get("managedFields") or () if _took(each, part)})
    if others:
        return f"its {part} was changed by {', '.join(others)}; --force writes over that"
    return ""


def _took(entry: Mapping[str, object], part: str) -> bool:
    """Whether a manager other than us has set something of that part."""
    fields = entry.get("fieldsV1")
    ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
    return not ours and isinstance(fields, dict) and f"f:{part}" in fields


def _annotation(manifest: JsonObject) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(DIGEST, ""))

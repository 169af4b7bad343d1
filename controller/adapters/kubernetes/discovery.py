"""Which resources the API server has: from apiVersion and kind to paths, and what to say when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.objects import group_of
from controller.clients.kubernetes import ApiFailure
from policies.problems import nearest

if TYPE_CHECKING:
    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from controller.ports import Clock
    from controller.records import TargetRef

KEPT_S = 600.0  # a kind that is known stays known this long

_HPA_VERSIONS = ("v2", "v2beta2", "v1")  # v2beta1 lacks nothing needed, but no server has it alone


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API server."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None) -> str:
        """The path of its objects in a namespace; None: in all of them."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/{self.plural}" if namespace is None else f"{root}/namespaces/{namespace}/{self.plural}"

    def scale_path(self, ref: TargetRef) -> str:
        """The path of an object's scale."""
        return f"{self.path(ref.namespace)}/{ref.name}/scale"


PODS = Resource("v1", "pods")
CONFIG_MAPS = Resource("v1", "configmaps")
EVENTS = Resource("v1", "events")
QUOTAS = Resource("v1", "resourcequotas")
NODES = Resource("v1", "nodes", namespaced=False)


class Unscalable(Exception):
    """The server has no such kind, or one without a scale; the message says what it has instead."""


class Discovery:
    """Asks the API server once for each kind; what it has stays known for ten minutes."""

    def __init__(self, session: KubernetesSession, clock: Clock) -> None:
        """Know nothing yet."""
        self._session = session
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[Resource, float]] = {}

    async def resource_of(self, api_version: str, kind: str) -> Resource:
        """Find the resource of a kind that has a scale subresource.

        Raises:
            Unscalable: there is none, and the server answered so.
            ApiFailure: the server could not be asked.
        """
        found, at_s = self._known.get((api_version, kind), (None, 0.0))
        if found is None or self._clock.elapsed_s() - at_s > KEPT_S:
            found = await _resource_of(self._session, api_version, kind)
            self._known[api_version, kind] = (found, self._clock.elapsed_s())
        return found

    async def autoscalers(self) -> Resource | None:
        """Horizontal pod autoscalers in the newest version that the server has. Raises ApiFailure."""
        served = await _versions(self._session, "autoscaling")
        newest = next((version for version in _HPA_VERSIONS if version in served), None)
        return Resource(f"autoscaling/{newest}", "horizontalpodautoscalers") if newest else None

    async def scaled_objects(self) -> Resource | None:
        """KEDA's ScaledObjects, where KEDA is installed. Raises ApiFailure."""
        served = await _versions(self._session, "keda.sh")
        return Resource(f"keda.sh/{served[0]}", "scaledobjects") if served else None


async def _resource_of(session: KubernetesSession, api_version: str, kind: str) -> Resource:
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        listed = (await session.get(root)).get("resources") or []
    except ApiFailure as failure:
        if failure.status != HTTPStatus.NOT_FOUND:
            raise
        raise Unscalable(await _no_version(session, api_version)) from failure
    names = {each["name"]: each for each in listed}
    for name, each in names.items():
        if each["kind"] == kind and "/" not in name:
            _check(api_version, each, names)
            return Resource(api_version, name)
    scalable = sorted(each["kind"] for name, each in names.items() if f"{name}/scale" in names)
    had = f"; with a scale it has {', '.join(scalable)}" if scalable else "; nothing in it has a scale"
    raise Unscalable(f"the API server has no kind {kind} in {api_version}{nearest(kind, scalable) or had}")


def _check(api_version: str, resource: JsonObject, names: dict[str, JsonObject]) -> None:
    if not resource.get("namespaced"):
        raise Unscalable(f"{api_version} {resource['kind']} has no namespaces; Foresail scales objects in namespaces")
    if f"{resource['name']}/scale" not in names:
        raise Unscalable(f"{api_version} {resource['kind']} has no scale subresource, so nothing can scale it")


async def _no_version(session: KubernetesSession, api_version: str) -> str:
    group = group_of(api_version)
    served = await _versions(session, group) if group else []
    if served:
        return f"the API server has no {api_version}; of {group} it has {', '.join(served)}"
    return f"the API server has no API group {group or api_version}; is its operator installed?"


async def _versions(session: KubernetesSession, group: str) -> list[str]:
    """The versions of a group, the preferred one first."""
    try:
        found = await session.get(f"/apis/{group}")
    except ApiFailure as failure:
        if failure.status == HTTPStatus.NOT_FOUND:
            return []
        raise
    preferred = (found.get("preferredVersion") or {}).get("version")
    versions = [each["version"] for each in found.get("versions") or ()]
    return sorted(versions, key=lambda version: version != preferred)

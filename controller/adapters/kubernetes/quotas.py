"""The ResourceQuotas of the followed namespaces: what they leave of what pods take."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.charges import milli_or_none
from controller.clients.kubernetes import Gone, Put, Replaced, Subject
from controller.records import Quota

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.kubernetes.feeds import FeedKey
    from controller.clients.kubernetes import Change, JsonObject

_ALSO_CALLED = {
    "count/pods": "pods",
    "cpu": "requests.cpu",
    "memory": "requests.memory",
    "ephemeral-storage": "requests.ephemeral-storage",
}
_OF_CLAIMS = "requests.storage"  # volume claims take it, and not pods
_OF_EVERY_SERVER = {"NotTerminating"}  # pods that serve have no deadline, so that the scope leaves none out


class QuotaTable:
    """Takes quotas in from watches of them; `changed` says that it has, until somebody takes note."""

    def __init__(self) -> None:
        """Hold none."""
        self.changed = False
        self._quotas: dict[str, dict[str, Quota]] = defaultdict(dict)  # by namespace and name

    def of(self, namespace: str) -> Sequence[Quota]:
        """The quotas of a namespace as last seen."""
        return tuple(self._quotas[namespace].values()) if namespace in self._quotas else ()

    def subject(self, key: FeedKey) -> Subject[Quota]:
        """What to watch."""

        def take(change: Change[Quota]) -> None:
            self.changed = True
            match change:
                case Replaced(items):
                    for namespace in [key.namespace] if key.namespace is not None else list(self._quotas):
                        self._quotas.pop(namespace, None)
                    for quota in items:
                        self._quotas[quota.namespace][quota.name] = quota
                case Put(quota):
                    self._quotas[quota.namespace][quota.name] = quota
                case Gone(quota):
                    self._quotas[quota.namespace].pop(quota.name, None)

        return Subject(key.resource.path(key.namespace), quota_of, take)


def quota_of(item: JsonObject) -> Quota:
    """Decode a ResourceQuota: of each resource that pods take, what is allowed less what is used.

    One with scopes concerns some pods only, and leaves everything here: nothing tells which. Excepted is
    NotTerminating, as pods of a workload that is scaled have no deadline.

    Raises KeyError or TypeError for what is none.
    """
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    names = [name for name in spec.get("hard") or {} if _taken_by_pods(_plain(name))] if _concerns_all(spec) else []
    left = tuple((_plain(name), _left(status, name)) for name in names)
    return Quota(metadata["namespace"], metadata["name"], left)


def _concerns_all(spec: JsonObject) -> bool:
    selected = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return {*(spec.get("scopes") or ()), *(each["scopeName"] for each in selected)} <= _OF_EVERY_SERVER


def _plain(name: str) -> str:
    return _ALSO_CALLED.get(name, name)


def _taken_by_pods(name: str) -> bool:
    return name == "pods" or (name.startswith(("requests.", "limits.")) and name != _OF_CLAIMS)


def _left(status: JsonObject, name: str) -> int | None:
    """None until the quota controller has counted."""
    allowed, used = (milli_or_none(str((status.get(each) or {}).get(name))) for each in ("hard", "used"))
    return None if allowed is None or used is None else max(0, allowed - used)

"""How much of the cluster each resource is watched in: single namespaces, or all of them where that is allowed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.feeds import FeedKey
from controller.clients.kubernetes import ApiFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.adapters.kubernetes.discovery import Resource
    from controller.clients.kubernetes import KubernetesSession


@dataclass(frozen=True, slots=True)
class Scope:
    """The followed namespaces, and the resources that one watch covers in all of them."""

    namespaces: frozenset[str] = frozenset()
    wide: frozenset[Resource] = frozenset()

    def key(self, resource: Resource, namespace: str) -> FeedKey:
        """The watch that shows a resource in a namespace."""
        return FeedKey(resource, None if resource in self.wide else namespace)

    def keys(self, resource: Resource) -> set[FeedKey]:
        """The watches that show a resource in all followed namespaces."""
        return {self.key(resource, namespace) for namespace in self.namespaces}


class ScopeFinder:
    """Asks the server, for more than a few namespaces, whether a resource may be read in all of them."""

    def __init__(self, session: KubernetesSession, few_namespaces: int) -> None:
        """Watch up to `few_namespaces` one by one."""
        self._session = session
        self._few = few_namespaces
        self._allowed: dict[Resource, bool] = {}

    async def scope(self, namespaces: frozenset[str], resources: Iterable[Resource]) -> Scope:
        """How each resource is to be watched. Never raises: without an answer it stays as it was, at first wide."""
        if len(namespaces) <= self._few:
            return Scope(namespaces)
        asked = set(resources)
        allowed = await asyncio.gather(*(self._may_list_all(each) for each in asked))
        return Scope(namespaces, frozenset(each for each, may in zip(asked, allowed, strict=True) if may))

    async def _may_list_all(self, resource: Resource) -> bool:
        try:
            await self._session.get(resource.path(None), limit="1")
        except ApiFailure as failure:
            if failure.denied:
                self._allowed[resource] = False
            return self._allowed.get(resource, True)
        self._allowed[resource] = True
        return True

"""The watches in use: started and stopped as they are wanted, and how current each of them is."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from controller.adapters.kubernetes.discovery import Resource
from controller.clients.kubernetes import ApiFailure, ListWatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from controller.clients.kubernetes import KubernetesSession, Subject
    from controller.ports import Clock

LAG_S = 60.0  # a watch that is this much older than the freshest one is in trouble of its own


class FeedKey(NamedTuple):
    """A watched resource in one namespace; None: in all of them."""

    resource: Resource
    namespace: str | None

    @property
    def where(self) -> str:
        """The key in words."""
        if not self.resource.namespaced:
            return self.resource.plural
        return f"{self.resource.plural} " + ("in all namespaces" if self.namespace is None else f"in {self.namespace}")


@dataclass(slots=True)
class _Feed:
    watch: ListWatch[Any]
    task: asyncio.Task[None]


class Feeds:
    """Runs one task for each watch."""

    def __init__(self, session: KubernetesSession, clock: Clock, *, watch_s: float) -> None:
        """Watch nothing yet; one watch is to last `watch_s` seconds."""
        self._watch_s = watch_s
        self._session = session
        self._clock = clock
        self._feeds: dict[FeedKey, _Feed] = {}

    def __contains__(self, key: FeedKey) -> bool:
        return key in self._feeds

    async def keep(self, wanted: Mapping[FeedKey, Subject[Any]]) -> None:
        """Run exactly these watches: stop what is not wanted, start what is not there or has broken."""
        for key in self._feeds.keys() - wanted.keys():
            await self._stop(self._feeds.pop(key))
        for key, subject in wanted.items():
            feed = self._feeds.get(key)
            if feed is None:
                self._feeds[key] = self._started(subject)
            elif feed.task.done():
                self._feeds[key] = self._started(subject)
                self._feeds[key].watch.failure = ApiFailure(0, f"the watch broke: {feed.task.exception()!r}")

    async def again(self, key: FeedKey, subject: Subject[Any]) -> None:
        """List and watch anew with another subject; the old content counts as current until then."""
        before = self._feeds.pop(key)
        await self._stop(before)
        feed = self._feeds[key] = self._started(subject)
        feed.watch.fresh_as_of, feed.watch.synced = before.watch.fresh_as_of, before.watch.synced

    async def close(self) -> None:
        """Stop every watch."""
        await self.keep({})

    def __iter__(self) -> Iterator[FeedKey]:
        return iter(self._feeds)

    def troubles(self) -> dict[FeedKey, str]:
        """Which watches' content cannot be relied upon while that of others can, and why."""
        newest = max((feed.watch.fresh_as_of for feed in self._feeds.values()), default=0.0)
        found = {key: self._trouble(key, feed.watch, newest) for key, feed in self._feeds.items()}
        return {key: trouble for key, trouble in found.items() if trouble is not None}

    def told(self, keys: AbstractSet[FeedKey]) -> tuple[str, ...]:
        """The troubles of these watches in words, sorted; those that are forbidden in one line for each resource."""
        troubles, forbidden = self.troubles(), defaultdict[Resource, list[FeedKey]](list)
        for key in keys & troubles.keys():
            failure = self._feeds[key].watch.failure
            if failure is not None and failure.status == HTTPStatus.FORBIDDEN:
                forbidden[key.resource].append(key)
        lines = {self._forbidden(sorted(each, key=_place)) for each in forbidden.values()}
        listed = {key for each in forbidden.values() for key in each}
        return tuple(sorted(lines | {troubles[key] for key in (keys & troubles.keys()) - listed}))

    def _forbidden(self, keys: Sequence[FeedKey]) -> str:
        """One line for watches of one resource that the server forbids."""
        first, rest = keys[0], len(keys) - 1
        more = f" and {rest} more namespace{'s' if rest > 1 else ''}" if rest else ""
        return _denial(f"{first.where}{more}", self._feeds[first].watch)

    def settled(self) -> bool:
        """Whether every watch has been listed or refused."""
        return all(feed.watch.synced or feed.watch.refused_at for feed in self._feeds.values())

    def denied(self, key: FeedKey) -> str | None:
        """The server's refusal to let a resource be read, None when there is none."""
        feed = self._feeds.get(key)
        failure = feed.watch.failure if feed else None
        return _denial(key.where, feed.watch) if feed and failure is not None and failure.denied else None

    def failure(self, key: FeedKey) -> ApiFailure | None:
        """What the last contact of a watch ended with; None when well, or when there is no such watch."""
        feed = self._feeds.get(key)
        return None if feed is None else feed.watch.failure

    def answered(self, key: FeedKey) -> bool:
        """Whether a watch has been listed, or has failed to be."""
        feed = self._feeds.get(key)
        return feed is not None and (feed.watch.synced or feed.watch.failure is not None)

    def synced(self, key: FeedKey) -> bool:
        """Whether a watch has been listed at least once."""
        return key in self._feeds and self._feeds[key].watch.synced

    def seen_at_s(self, keys: Collection[FeedKey]) -> float:
        """Wall time up to which these watches are current, those in trouble of their own left out.

        0 when none of them has been listed. When the server refuses them all, its last refusal counts: it is
        there, and each target says what is wrong.
        """
        watches = [self._feeds[key].watch for key in keys if key in self._feeds]
        readable = [watch for watch in watches if not (watch.failure is not None and watch.failure.denied)]
        if not readable:
            return max((watch.refused_at for watch in watches), default=self._clock.now_s())
        newest = max(watch.fresh_as_of for watch in readable)
        return min(watch.fresh_as_of for watch in readable if newest - watch.fresh_as_of <= LAG_S)

    def _trouble(self, key: FeedKey, watch: ListWatch[Any], newest: float) -> str | None:
        why = f": {watch.failure}" if watch.failure else ""
        if watch.failure is not None and watch.failure.denied:
            return _denial(key.where, watch)
        if not watch.synced:
            return f"{key.where}: not read yet{why}"
        if newest - watch.fresh_as_of > LAG_S:
            seen_at = datetime.fromtimestamp(watch.fresh_as_of, UTC).isoformat(timespec="seconds")
            return f"{key.where}: not seen since {seen_at}{why}"
        return None

    def _started(self, subject: Subject[Any]) -> _Feed:
        watch = ListWatch(self._session, subject, self._clock, watch_s=self._watch_s)
        return _Feed(watch, asyncio.create_task(watch.run(), name=f"watch {subject.path}"))

    async def _stop(self, feed: _Feed) -> None:
        feed.task.cancel()
        await asyncio.wait([feed.task])


def _place(key: FeedKey) -> str:
    return key.namespace or ""


def _denial(where: str, watch: ListWatch[Any]) -> str:
    if watch.failure is not None and watch.failure.status == HTTPStatus.FORBIDDEN:
        return f"{where}: Foresail may not read them; grant it get, list and watch: {watch.failure}"
    return f"{where}: the API server no longer has them: {watch.failure}"

"""A list followed by a watch, on any API path: what it holds stays true through lost connections and lost history."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from controller.clients.kubernetes.session import NO_ANSWER, ApiFailure, JsonObject, KubernetesSession, Request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

    from controller.ports import Clock

T = TypeVar("T")

PAGE = 500
WATCH_S = 25.0  # a healthy idle watch says so at least this often, by ending and beginning again
SILENCE_S = 10.0  # more than this beyond WATCH_S without a byte: the connection is half open
LIST_PAGE_S = 60.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
LONGEST_FORBIDDEN_S = 600.0  # a right that is not granted is asked for ever more rarely, up to this
SHORTEST_LIFE_S = 1.0  # a watch that ends sooner counts as a failure
TRIES_BEFORE_RESYNC = 3

_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Replaced(Generic[T]):
    """A full list: what is not in it is gone."""

    items: Sequence[T]


@dataclass(frozen=True, slots=True)
class Put(Generic[T]):
    """Added or modified."""

    item: T


@dataclass(frozen=True, slots=True)
class Gone(Generic[T]):
    """Deleted; the item is as last seen by the server."""

    item: T


Change = Replaced[T] | Put[T] | Gone[T]


@dataclass(frozen=True, slots=True)
class Subject(Generic[T]):
    """What is watched. `decode` keeps what is needed of one object, and None where it is of no interest."""

    path: str
    decode: Callable[[JsonObject], T | None]
    on_change: Callable[[Change[T]], None]
    params: Mapping[str, str] = field(default_factory=dict)


class ListWatch(Generic[T]):
    """Lists once, then watches from there; lists again only when the server has forgotten where that was.

    `fresh_as_of` is the wall time of the last contact that shows the content to be current (0 before the first
    list): a full list, an event, a bookmark, or a watch accepted from where the last one ended. `failure` is what
    the last contact ended with, None when well.
    """

    def __init__(
        self, session: KubernetesSession, subject: Subject[T], clock: Clock, *, watch_s: float = WATCH_S
    ) -> None:
        """Watch nothing until `run`; one watch lasts `watch_s` seconds at most."""
        self._watch_s = watch_s
        self._session = session
        self._subject = subject
        self._clock = clock
        self._version: str | None = None
        self._failures = 0
        self.fresh_as_of = 0.0
        self.refused_at = 0.0  # wall time of the last answer that said no
        self.synced = False
        self.failure: ApiFailure | None = None

    async def run(self) -> NoReturn:
        """List and watch for ever; every failure is kept in `failure` and retried after a growing, random delay.

        It grows to half a minute; to ten where the server says that this may not be read, which it says for a moment
        after its start as well.
        """
        while True:
            try:
                await self._list_or_watch()
            except ApiFailure as failure:
                await self._recover(failure)

    async def _list_or_watch(self) -> None:
        if self._version is None:
            self._version = await self._list()
        began_s = self._clock.elapsed_s()
        await self._watch(self._version)
        if self._clock.elapsed_s() - began_s < SHORTEST_LIFE_S:
            raise ApiFailure(NO_ANSWER, f"watch of {self._subject.path} ended at once")
        self._failures = 0

    async def _recover(self, failure: ApiFailure) -> None:
        self._failures += 1
        if failure.status == HTTPStatus.GONE or self._failures >= TRIES_BEFORE_RESYNC:
            self._version = None
        if failure.status == HTTPStatus.GONE and self._failures == 1:
            return
        self.failure = failure
        if failure.status != NO_ANSWER:
            self.refused_at = self._clock.now_s()
        longest_s = LONGEST_FORBIDDEN_S if failure.status == HTTPStatus.FORBIDDEN else LONGEST_DELAY_S
        await self._clock.sleep(max(failure.retry_after_s, _delay_s(self._failures, longest_s)))

    async def _list(self) -> str:
        began_at_s = self._clock.now_s()
        items: list[T] = []
        params = {**self._subject.params, "limit": str(PAGE)}
        while True:
            payload = await self._session.read(Request(self._subject.path, params=params), timeout_s=LIST_PAGE_S)
            page = await asyncio.to_thread(self._page, payload)
            items += page.items
            if not page.rest:
                break
            params["continue"] = page.rest
        self._subject.on_change(Replaced(items))
        self.synced = True
        self._contact(began_at_s)
        return page.version

    def _page(self, payload: bytes) -> _Page[T]:
        try:
            page = json.loads(payload)
            found = (self._subject.decode(item) for item in page["items"] or ())
            items = [item for item in found if item is not None]
            return _Page(items, str(page["metadata"]["resourceVersion"]), page["metadata"].get("continue") or "")
        except _UNREADABLE as error:
            raise ApiFailure(NO_ANSWER, f"list of {self._subject.path} cannot be read: {error!r}") from error

    async def _watch(self, version: str) -> None:
        wait_s = self._watch_s * random.uniform(0.8, 1.0)  # noqa: S311 - spreads reconnections
        params = {
            **self._subject.params,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(wait_s))),
        }
        idle_s = wait_s + SILENCE_S
        async with self._session.stream(Request(self._subject.path, params=params), idle_s=idle_s) as chunks:
            self._contact(self._clock.now_s())
            async with aclosing(_lines(chunks)) as lines:
                async for line in lines:
                    self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, item = event["type"], event["object"]
            if kind == "ERROR":
                raise ApiFailure(int(item.get("code") or NO_ANSWER), str(item.get("message") or "watch error"))
            decoded = None if kind == "BOOKMARK" else self._subject.decode(item)
            version = str(item["metadata"]["resourceVersion"])
        except _UNREADABLE as error:
            raise ApiFailure(NO_ANSWER, f"watch of {self._subject.path} cannot be read: {error!r}") from error
        if decoded is not None:
            self._subject.on_change(Gone(decoded) if kind == "DELETED" else Put(decoded))
        self._version = version
        self._failures = 0
        self._contact(self._clock.now_s())

    def _contact(self, at_s: float) -> None:
        self.fresh_as_of = max(self.fresh_as_of, at_s)
        self.failure = None


@dataclass(frozen=True, slots=True)
class _Page(Generic[T]):
    items: list[T]
    version: str
    rest: str


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Cut chunks into lines; half a line at the end is dropped, for the watch is resumed before it."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        await asyncio.sleep(0)  # a flood of events must not keep others waiting


def _delay_s(failures: int, longest_s: float) -> float:
    """Between half and all of 0.5, 1, 2, 4 ... `longest_s`."""
    longest = min(longest_s, FIRST_DELAY_S * 2.0 ** min(failures - 1, 11))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnections

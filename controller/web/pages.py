"""Answers that are made once for each tick: rendered beside the event loop, kept until the next, known by an ETag."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LARGEST_PAGE = 5000
PAGE = 500

_MOST_KEPT = 512  # answers of one tick,
_MOST_BYTES = 64 * 2**20  # and bytes of them


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a list is asked for."""

    limit: int = PAGE
    begin: str = ""

    @classmethod
    def of(cls, request: web.Request) -> Asked:
        """What the query says. Raises HTTPBadRequest."""
        given = request.query.get("limit", str(PAGE))
        limit = int(given) if given.isdecimal() and given.isascii() and len(given) <= len(str(LARGEST_PAGE)) else 0
        if not 1 <= limit <= LARGEST_PAGE:
            raise web.HTTPBadRequest(text=f"limit must be a whole number from 1 to {LARGEST_PAGE}, not {given!r}")
        return cls(limit, request.query.get("continue", ""))

    def page(self, keys: Sequence[str]) -> tuple[range, str]:
        """The places of this page in sorted `keys`, and where the next page begins; empty on the last one."""
        first = bisect_right(keys, self.begin) if self.begin else 0
        places = range(first, min(first + self.limit, len(keys)))
        return places, keys[places[-1]] if places and places[-1] + 1 < len(keys) else ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer's bytes, and their digest as an ETag."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Rendered:
        """These bytes with their digest."""
        return cls(body, f'"{sha256(body).hexdigest()[:32]}"')


class Pages:
    """Keeps what was rendered of one subject, such as a tick's report, until another one is shown."""

    def __init__(self) -> None:
        """Nothing is kept yet; one thread renders, so that many questions at once delay no tick."""
        self._executor = ThreadPoolExecutor(1, "render")
        self._subject: object = None
        self._kept: dict[object, asyncio.Future[Rendered]] = {}

    async def answer(
        self, request: web.Request, subject: object, make: Callable[[], Mapping[str, object]]
    ) -> web.Response:
        """The answer to a request for its path and query, as `make` makes it of the subject, in a thread."""
        return answered(request, await self.rendered(request.path_qs, subject, lambda: json_bytes(make())))

    async def rendered(self, key: object, subject: object, make: Callable[[], bytes]) -> Rendered:
        """What `make` renders of the subject under a key, in a thread; kept until another subject is shown."""
        if subject is not self._subject:
            self._subject, self._kept = subject, {}
        found = self._kept.get(key)
        if found is None or (found.done() and not _well(found)):
            self._make_room()
            found = asyncio.get_running_loop().run_in_executor(self._executor, lambda: Rendered.of(make()))
            self._kept[key] = found
        return await asyncio.shield(found)

    def known(self, key: object, subject: object) -> Rendered | None:
        """What was rendered already."""
        found = self._kept.get(key) if subject is self._subject else None
        return found.result() if found is not None and _well(found) else None

    def _make_room(self) -> None:
        """Forget the oldest answers where there are too many, or too many bytes of them."""
        sizes = {key: len(made.result().body) if _well(made) else 0 for key, made in self._kept.items()}
        left = sum(sizes.values())
        for number, (key, size) in enumerate(sizes.items()):
            if len(sizes) - number < _MOST_KEPT and left <= _MOST_BYTES:
                break
            del self._kept[key]
            left -= size

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _well(made: asyncio.Future[Rendered]) -> bool:
    """Whether an answer is there."""
    return made.done() and not made.cancelled() and made.exception() is None


def answered(request: web.Request, rendered: Rendered, content_type: str = "application/json") -> web.Response:
    """The rendered answer, or 304 to who has it."""
    headers = {"ETag": rendered.etag, "Cache-Control": "no-cache"}
    if any(tag.value == rendered.etag.strip('"') for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=rendered.body, content_type=content_type, charset="utf-8", headers=headers)


def json_bytes(document: Mapping[str, object]) -> bytes:
    """A document as JSON, in a quarter of the time that Python's own encoder takes. What is not a number is null."""
    return to_json(document, inf_nan_mode="null")

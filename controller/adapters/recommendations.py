"""What a running daemon recommends, read from its API when somebody asks, and kept for as long as it holds."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.clients.http import HttpClient

KEPT_S = 1.0  # an answer stands for those who ask within a second
TIMEOUT_S = 3.0

_PATH = "/api/v1/recommendations?limit=5000&continue="
_AT_MOST = 16 * 2**20
_OK = 200
_NEVER_S = float("-inf")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The replicas that a workload should have; None while nothing is recommended, for the reason in `hold`."""

    name: str
    replicas: int | None
    hold: str | None


@dataclass(frozen=True, slots=True)
class Recommended:
    """The recommendations of one tick by namespace, and when it was."""

    at: str
    workloads: Mapping[str, Sequence[Recommendation]]


@dataclass(slots=True)
class DaemonRecommendations:
    """Asks the daemon once a second at most, however many ask here. `now_s` is wall time, `elapsed_s` monotonic."""

    client: HttpClient
    now_s: Callable[[], float] = time.time
    elapsed_s: Callable[[], float] = time.monotonic
    _kept: Recommended | None = None
    _until_s: float = _NEVER_S  # elapsed time at which what is kept is no longer the present
    _asked_s: float = _NEVER_S
    _problem: str = ""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def present(self) -> Recommended:
        """What is recommended now. Raises Unavailable when it is not known, or older than the daemon lets it stand."""
        async with self._lock:
            if self.elapsed_s() - self._asked_s >= KEPT_S:
                await self._ask()
                self._asked_s = self.elapsed_s()
        if self._kept is None or self.elapsed_s() >= self._until_s:
            old = "" if self._kept is None else f"its last tick was at {self._kept.at}"
            raise Unavailable("no recommendation is fresh: " + (self._problem or old))
        return self._kept

    async def _ask(self) -> None:
        """Ask the daemon; what is kept stays where it does not answer."""
        try:
            self._kept, until_s = await self._read()
        except Unavailable as error:
            self._problem = str(error)
        else:
            self._until_s, self._problem = self.elapsed_s() + until_s, ""

    async def _read(self) -> tuple[Recommended, float]:
        """All pages, and for how many seconds they hold. Raises Unavailable."""
        workloads, more = defaultdict[str, list[Recommendation]](list), ""
        while True:
            page, now_s = await self._page(more)
            try:
                at, until_s = page["metadata"]["at"], datetime.fromisoformat(page["until"]).timestamp()
                for item in page["items"]:
                    told = Recommendation(item["name"], item["replicas"], item["hold"])
                    workloads[item["namespace"]].append(told)
                more = page["metadata"]["continue"]
            except (LookupError, TypeError, ValueError) as error:
                raise self._strange() from error
            if not more:
                return Recommended(at, workloads), until_s - now_s

    async def _page(self, more: str) -> tuple[dict[str, Any], float]:
        """One page, and what time it is by the daemon's clock."""
        url = self.client.access.url
        try:
            path = f"{_PATH}{quote(more, safe='')}"
            answer = await self.client.get(path, timeout_s=TIMEOUT_S, at_most=_AT_MOST)
        except TimeoutError as error:
            raise Unavailable(f"the daemon at {url} did not answer within {TIMEOUT_S:g} s") from error
        except Unavailable as error:
            raise Unavailable(f"no daemon answers at {url}: {error}") from error
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise self._strange() from error
        if not isinstance(document, dict):
            raise self._strange()
        if answer.status != _OK:
            raise Unavailable(f"the daemon at {url} answers {answer.status}: {document.get('detail', '')}")
        return document, self.now_s() + (answer.skew_s or 0.0)

    def _strange(self) -> Unavailable:
        return Unavailable(f"what answers at {self.client.access.url} is not Foresail, or an older one")

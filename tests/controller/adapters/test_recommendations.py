"""What a daemon recommends: kept while it holds by the daemon's own clock, and asked once a second at most."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from controller.adapters.recommendations import DaemonRecommendations
from controller.clients.http import HttpAccess, HttpAnswer, HttpClient
from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_S = 1_795_773_600.0  # 2026-11-27T10:00:00Z
URL = "http://daemon:9870"


def page(until: str = "2026-11-27T10:01:00Z", name: str = "web", more: str = "") -> dict[str, Any]:
    items = [{"namespace": "shop", "name": name, "replicas": 7, "hold": None}]
    return {"until": until, "metadata": {"at": "2026-11-27T10:00:00Z", "continue": more}, "items": items}


@dataclass
class FakeDaemon:
    """Stands for the client; answers as it is told, and takes no time."""

    answers: list[dict[str, Any] | bytes | Exception] = field(default_factory=lambda: [page()])
    status: int = 200
    skew_s: float | None = 0.0
    asked: list[str] = field(default_factory=list)
    access: HttpAccess = field(default_factory=lambda: HttpAccess(URL))
    elapsed_s: float = 100.0

    async def get(self, path: str, *, timeout_s: float, at_most: int) -> HttpAnswer:
        assert (timeout_s, at_most) == (3.0, 16 * 2**20)
        self.asked.append(path)
        await asyncio.sleep(0)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return HttpAnswer(self.status, body, self.skew_s)

    def recommendations(self) -> DaemonRecommendations:
        elapsed: Callable[[], float] = lambda: self.elapsed_s  # noqa: E731 - of this clock
        return DaemonRecommendations(cast("HttpClient", self), now_s=lambda: NOW_S, elapsed_s=elapsed)


async def test_all_pages_are_read_and_kept_for_a_second() -> None:
    daemon = FakeDaemon([page(name="api", more="shop/api"), page(name="web")])
    recommendations = daemon.recommendations()
    found = await asyncio.gather(*(recommendations.present() for _ in range(5)))
    assert [each.name for each in found[0].workloads["shop"]] == ["api", "web"]
    path = "/api/v1/recommendations?limit=5000&continue="
    assert daemon.asked == [path, f"{path}shop%2Fapi"]
    daemon.elapsed_s += 1
    await recommendations.present()
    assert len(daemon.asked) == 3


async def test_an_answer_outlives_its_daemon_until_it_is_stale() -> None:
    daemon = FakeDaemon()
    recommendations = daemon.recommendations()
    await recommendations.present()
    daemon.answers = [Unavailable("Connection refused")]
    daemon.elapsed_s += 59.9
    assert (await recommendations.present()).workloads["shop"][0].replicas == 7
    daemon.elapsed_s += 0.1
    told = "no recommendation is fresh: no daemon answers at http://daemon:9870: Connection refused"
    with pytest.raises(Unavailable, match=re.escape(told)):
        await recommendations.present()
    daemon.answers = [page()]
    daemon.elapsed_s += 1
    assert (await recommendations.present()).workloads["shop"][0].replicas == 7


@pytest.mark.parametrize(
    ("skew_s", "fresh"),
    [
        pytest.param(None, True, id="of-an-unknown-clock"),
        pytest.param(59.0, True, id="by-a-clock-ahead"),
        pytest.param(61.0, False, id="by-a-clock-further-ahead"),
    ],
)
async def test_the_daemons_clock_says_what_is_stale(skew_s: float | None, fresh: bool) -> None:  # noqa: FBT001 - a column
    recommendations = FakeDaemon(skew_s=skew_s).recommendations()
    if fresh:
        await recommendations.present()
    else:
        with pytest.raises(Unavailable, match=r"no recommendation is fresh: its last tick was at 2026-11-27T10:00:00Z"):
            await recommendations.present()


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        pytest.param(TimeoutError(), 200, "did not answer within 3 s", id="silent"),
        pytest.param({"detail": "no tick yet"}, 503, "answers 503: no tick yet", id="starting"),
        pytest.param(b"<html>", 200, "is not Foresail, or an older one", id="no-json"),
        pytest.param(b"[]", 200, "is not Foresail, or an older one", id="a-list"),
        pytest.param({"items": []}, 200, "is not Foresail, or an older one", id="another-document"),
        pytest.param(page(until="soon"), 200, "is not Foresail, or an older one", id="no-time"),
    ],
)
async def test_an_answer_that_is_none(answer: dict[str, Any] | bytes | Exception, status: int, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        await FakeDaemon([answer], status=status).recommendations().present()

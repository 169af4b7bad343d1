"""A browser without a window: what it is shown, by path, and the forms that it sends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.controller.web.running import TOKEN, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    text: str
    path: str
    headers: Mapping[str, str]

    @property
    def words(self) -> str:
        """What is read, without tags, on one line."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.text).split())


@dataclass(frozen=True, slots=True)
class Browser:
    stage: Stage
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Page:
        async with self.session.get(self.stage.url + path, headers=headers) as answer:
            return Page(answer.status, await answer.text(), answer.url.path_qs, answer.headers)

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Page:
        async with self.session.post(self.stage.url + path, data=fields, headers=headers) as answer:
            return Page(answer.status, await answer.text(), answer.url.path_qs, answer.headers)

    async def sign_in(self) -> str:
        """Sign in; returns what forms must carry."""
        page = await self.post("/console/sign-in", {"token": TOKEN, "next": "/console/fleet"})
        assert (page.status, page.path) == (200, "/console/fleet")
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text)
        assert found is not None
        return found[1]


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with staged(tmp_path) as stage, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(stage, session)

"""A Grafana in this process: folders, dashboards with versions, search and tokens, with the real answers' statuses."""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Json = dict[str, Any]
TOKEN = "glsa-good"


@dataclass
class Stored:
    """A dashboard with all its versions, and the messages they were saved with."""

    body: Json
    folder: str
    messages: list[str]
    provisioned: bool = False

    @property
    def version(self) -> int:
        return len(self.messages)


@dataclass
class FakeGrafana:
    """What is stored, what was asked, and how it misbehaves."""

    token: str = TOKEN
    folders: dict[str, str] = field(default_factory=dict)
    boards: dict[str, Stored] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)  # method, path
    status: int = 200  # of every answer, where it is another one
    delay_s: float = 0.0
    may_create_folders: bool = True
    html: bool = False
    migrates: bool = False  # serves another form than was stored, as newer versions do
    meanwhile: Callable[[FakeGrafana], None] | None = None  # happens once, before the next save
    url: str = ""

    def save_by_hand(self, uid: str, title: str) -> None:
        """Somebody saves another title in the browser."""
        stored = self.boards[uid]
        stored.body["title"] = title
        stored.messages.append("")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request as Grafana would."""
        await asyncio.sleep(self.delay_s)
        if self.html:
            return web.Response(text="<html>log in</html>", content_type="text/html")
        if self.status != 200:
            return _said(self.status, "as told")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _said(401, "Invalid API key")
        if request.method != "GET":
            self.writes.append((request.method, request.path))
        match request.method, request.path.removeprefix("/api").strip("/").split("/"):
            case "GET", ["folders", uid]:
                found = uid in self.folders
                return web.json_response({"uid": uid}) if found else _said(404, "folder not found", "not-found")
            case "POST", ["folders"]:
                return self._make_folder(await request.json())
            case "GET", ["search"]:
                return web.json_response(self._search(request))
            case "POST", ["dashboards", "db"]:
                return self._save(await request.json())
            case method, ["dashboards", "uid", uid, *rest] if uid in self.boards:
                return self._one(method, uid, rest)
        return _said(404, "Dashboard not found", "not-found")

    def _make_folder(self, asked: Json) -> web.Response:
        if not self.may_create_folders:
            return _said(403, "You'll need additional permissions to perform this action: folders:create")
        self.folders[asked["uid"]] = asked["title"]
        return web.json_response(asked)

    def _search(self, request: web.Request) -> list[Json]:
        tags = set(request.query.getall("tag", []))
        return [
            {"uid": uid, "title": each.body["title"], "tags": each.body["tags"], "folderUid": each.folder}
            for uid, each in self.boards.items()
            if tags <= set(each.body["tags"])
        ]

    def _save(self, asked: Json) -> web.Response:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens(self)
        body = asked["dashboard"]
        uid, stored = body["uid"], self.boards.get(body["uid"])
        if asked["folderUid"] and asked["folderUid"] not in self.folders:
            return _said(400, "folder not found")
        same_title = [other for other, each in self.boards.items() if each.body["title"] == body["title"]]
        if any(other != uid for other in same_title):
            return _said(412, "A dashboard with the same name in the folder already exists", "name-exists")
        if stored is not None and not asked["overwrite"] and body.get("version") != stored.version:
            return _said(412, "The dashboard has been changed by someone else", "version-mismatch")
        messages = [*(stored.messages if stored else []), asked["message"]]
        self.boards[uid] = Stored({**copy.deepcopy(body), "id": 7}, asked["folderUid"], messages)
        return web.json_response({"uid": uid, "version": len(messages), "status": "success"})

    def _one(self, method: str, uid: str, rest: list[str]) -> web.Response:
        stored = self.boards[uid]
        if method == "DELETE":
            del self.boards[uid]
            return web.json_response({"title": stored.body["title"]})
        if rest == ["versions"]:
            versions = [{"version": row + 1, "message": words} for row, words in enumerate(stored.messages)]
            return web.json_response({"continueToken": "", "versions": versions[::-1]})
        body = {**stored.body, "version": stored.version} | ({"schemaVersion": 99} if self.migrates else {})
        meta = {"folderUid": stored.folder, "provisioned": stored.provisioned}
        return web.json_response({"dashboard": body, "meta": meta})


@asynccontextmanager
async def grafana() -> AsyncIterator[FakeGrafana]:
    """A Grafana on loopback."""
    fake = FakeGrafana()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    server = TestServer(app)
    await server.start_server()
    fake.url = str(server.make_url("")).rstrip("/")
    try:
        yield fake
    finally:
        await server.close()


def _said(status: int, message: str, kind: str = "") -> web.Response:
    return web.json_response({"message": message, "status": kind}, status=status)

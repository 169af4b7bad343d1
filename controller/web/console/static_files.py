"""The console's scripts and styles: read once, served under the digest of their content, so that they keep for long."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from mimetypes import types_map
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

PREFIX = "/console/static/"
_NAMES = ("console.css", "console.js", "chart.js", "icon.svg", "uplot/uPlot.iife.min.js", "uplot/uPlot.min.css")
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file: its bytes and their digest."""

    name: str
    body: bytes
    digest: str

    @property
    def url(self) -> str:
        """Where this content is."""
        return f"{PREFIX}{self.digest}/{self.name}"


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All of them, by name."""

    by_name: Mapping[str, StaticFile]

    @classmethod
    def read(cls) -> StaticFiles:
        """Those of this version."""
        folder = files(__package__) / "static"
        return cls({name: _read(folder, name) for name in _NAMES})

    def url(self, name: str) -> str:
        """Where a file is, as templates name it."""
        return self.by_name[name].url

    async def serve(self, request: web.Request) -> web.Response:
        """A file by the digest of its content. Raises HTTPNotFound for another version's."""
        found = self.by_name.get(request.match_info["name"])
        if found is None or found.digest != request.match_info["digest"]:
            raise web.HTTPNotFound(text="there is no such file in this version")
        headers = {"ETag": f'"{found.digest}"', "Cache-Control": _FOREVER}
        if any(tag.value == found.digest for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        kind = types_map[PurePosixPath(found.name).suffix]
        response = web.Response(body=found.body, content_type=kind, charset="utf-8", headers=headers)
        response.enable_compression()
        return response


def _read(folder: Traversable, name: str) -> StaticFile:
    body = folder.joinpath(name).read_bytes()
    return StaticFile(name, body, sha256(body).hexdigest()[:16])

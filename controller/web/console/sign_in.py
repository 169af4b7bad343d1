"""Signing in with a token that is shown once, and out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from controller.web.auth import COOKIE, see_origin, set_cookie
from controller.web.console.shell import PREFIX

if TYPE_CHECKING:
    from controller.web.console.shell import Shell


@dataclass(frozen=True, slots=True)
class SignIn:
    """Handlers of a browser's session."""

    shell: Shell

    async def show(self, request: web.Request) -> web.Response:
        """The form."""
        return self._page(request, _next(request.query.get("next", "")))

    async def begin(self, request: web.Request) -> web.Response:
        """Open a session with the token that was typed; the token is never shown again."""
        see_origin(request)
        given = await request.post()
        token, following = str(given.get("token", "")).strip(), _next(str(given.get("next", "")))
        if not token:
            return self._page(request, following, "Token: type one", 422)
        try:
            session = await self.shell.guard.open_session(token)
        except web.HTTPError as error:
            return self._page(request, following, error.text or error.reason, error.status)
        response = web.Response(status=303, headers={"Location": following})
        set_cookie(request, response, session)
        return response

    async def end(self, request: web.Request) -> web.Response:
        """Close the session."""
        sessions = self.shell.guard.sessions
        if (found := sessions.of(request)) is not None:
            sessions.end(found)
        response = web.Response(status=303, headers={"Location": PREFIX})
        response.del_cookie(COOKIE, path="/")
        return response

    def _page(self, request: web.Request, following: str, wrong: str = "", status: int = 200) -> web.Response:
        return self.shell.page(request, "sign_in.html", status=status, following=following, wrong=wrong)


def _next(path: str) -> str:
    """Where to go afterwards: a page of the console and nothing else."""
    ours = path == PREFIX or path.startswith((f"{PREFIX}/", f"{PREFIX}?"))
    return path if ours and path.isascii() and path.isprintable() and "\\" not in path else PREFIX

"""What all pages have around them: the frame, who is signed in, the banner, errors as pages, and the headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from controller.errors import Conflict, ForesailError, Rejected
from controller.web.auth import SIGN_IN_PATH
from controller.web.console.static_files import StaticFiles
from controller.web.console.templates import Templates
from controller.web.health import health
from controller.web.holds import intervention

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from controller.web.app import Views
    from controller.web.auth import Guard

PREFIX = "/console"
_SHOWN = 10  # pauses and overrides, in the banner
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # without a referrer, a browser posts forms with the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Shell:
    """Makes whole pages of their main part."""

    views: Views
    guard: Guard
    templates: Templates

    @classmethod
    def of(cls, views: Views, guard: Guard) -> Shell:
        """The frame of what is shown."""
        return cls(views, guard, Templates(StaticFiles.read()))

    def page(self, request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
        """A page, made for who asks."""
        session = self.guard.sessions.of(request)
        text = self.templates.render(
            template,
            banner=self.banner() if self.guard.open_reading or session is not None else "",
            person=None if session is None else session.person.name,
            csrf_token=self.guard.csrf_token(request),
            sign_in=sign_in(request.path_qs) if request.method == "GET" else SIGN_IN_PATH,
            acting=self.guard.access is not None,
            version=self.views.version["version"],
            **values,
        )
        return web.Response(text=text, content_type="text/html", status=status)

    def banner(self) -> str:
        """How Foresail is now: state, sources, problems, what people told."""
        told = sorted(self.views.interventions().items())  # that of all workloads first
        shown = [intervention(each) for _, each in told[:_SHOWN]]
        return self.templates.render("banner.html", health=health(self.views), interventions=shown, told=len(told))


def sign_in(path: str) -> str:
    """Where to sign in, so that a path is shown afterwards."""
    return f"{SIGN_IN_PATH}?next={quote(path, safe='')}"


def errors(shell: Shell) -> Middleware:
    """Below /console, tell errors as pages, let who must sign in do so, and set the headers."""

    @web.middleware
    async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != PREFIX and not request.path.startswith(f"{PREFIX}/"):
            return await handler(request)
        try:
            response = await handler(request)
        except web.HTTPRedirection as found:
            found.headers.update(HEADERS)
            raise
        except web.HTTPUnauthorized as error:
            response = _unauthorized(shell, request, error)
        except (web.HTTPError, ForesailError) as error:
            status, text = problem(error)
            response = shell.page(request, "error.html", status=status, message=text)
        response.headers.update(HEADERS)
        return response

    return told


def problem(error: web.HTTPError | ForesailError) -> tuple[int, str]:
    """An error's status and what it says."""
    if isinstance(error, web.HTTPError):
        return error.status, error.text or error.reason
    if isinstance(error, Rejected):
        return 422, str(error)
    return (409 if isinstance(error, Conflict) else 503), str(error)


def _unauthorized(shell: Shell, request: web.Request, error: web.HTTPError) -> web.StreamResponse:
    if request.method == "GET" and not request.path.startswith(f"{PREFIX}/parts/"):
        return web.Response(status=303, headers={"Location": sign_in(request.path_qs)})
    return shell.page(request, "error.html", status=error.status, message=f"{error.text}. Sign in and try again.")

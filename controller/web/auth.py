"""Who calls: a bearer token, or a browser's session that one has opened; and what is refused to whom.

Tokens are never logged and never leave this process: a browser holds the random name of its session alone.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from secrets import token_hex, token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from controller.errors import Unavailable
from controller.records import Person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

    from controller.ports import Access, Clock
    from controller.records import TargetRef

COOKIE = "foresail_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
SESSION_PATH = "/api/v1/session"
SIGN_IN_PATH = "/console/sign-in"
SESSION_S = 8 * 3600.0
HOW_TO_TURN_ON = (
    "actions are turned off: nothing says who may act. Name a file of tokens with --auth-token-file, or let the"
    " Kubernetes API server decide with --auth-kubernetes; docs/api.md tells more"
)

_OPEN = frozenset({"/", "/metrics", "/livez", "/readyz", "/healthz"})
_OPENING = frozenset({SESSION_PATH, SIGN_IN_PATH})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_SESSIONS = 1000
READING_POST = "askWhatIf"  # name of the route that takes a body and changes nothing
LONGEST_TOKEN = 16_384

CALLER = web.RequestKey("caller", Person)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has shown a token. `csrf_token` must come with whatever it posts."""

    name: str = field(repr=False)
    token: str = field(repr=False)
    csrf_token: str = field(repr=False)
    person: Person
    until_elapsed_s: float


@dataclass(frozen=True, slots=True)
class AnyAccess:
    """Several that vouch for people, by the name in `Person.by`: the first that knows a token speaks for it."""

    vouching: Mapping[str, Access]

    async def person(self, token: str) -> Person | None:
        """Whose token this is. Raises Unavailable where nobody knows it and one could not be asked."""
        problem: Unavailable | None = None
        for access in self.vouching.values():
            try:
                found = await access.person(token)
            except Unavailable as error:
                problem = error
                continue
            if found is not None:
                return found
        if problem is not None:
            raise problem
        return None

    async def may_act(self, person: Person, target: TargetRef | None) -> str | None:
        """What the one that vouched for somebody says."""
        access = self.vouching.get(person.by)
        return "nobody vouches for them" if access is None else await access.may_act(person, target)


class Sessions:
    """The browsers' sessions, in memory: a restart ends them. The oldest make room for new ones."""

    def __init__(self, clock: Clock) -> None:
        """None yet."""
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()

    def begin(self, token: str, person: Person) -> Session:
        """A new session of somebody who has shown their token."""
        session = Session(token_urlsafe(32), token, token_hex(32), person, self._clock.elapsed_s() + SESSION_S)
        self._open[session.name] = session
        if len(self._open) > _MOST_SESSIONS:
            self._open.popitem(last=False)
        return session

    def of(self, request: web.Request) -> Session | None:
        """The session that a request names, while it lasts."""
        session = self._open.get(request.cookies.get(COOKIE, ""))
        if session is not None and session.until_elapsed_s <= self._clock.elapsed_s():
            del self._open[session.name]
            return None
        return session

    def end(self, session: Session) -> None:
        """Forget one."""
        self._open.pop(session.name, None)


@dataclass(frozen=True, slots=True)
class Guard:
    """Stands before every handler. `access` None: nobody may act; `open_reading`: everybody may read."""

    sessions: Sessions
    access: Access | None = None
    open_reading: bool = True
    unguarded: tuple[str, ...] = (SIGN_IN_PATH, "/console/static/")  # beginnings of paths that everybody may read

    async def open_session(self, token: str) -> Session:
        """Begin a browser's session. Raises HTTPForbidden, HTTPUnauthorized or HTTPServiceUnavailable."""
        return self.sessions.begin(token, await self._known(token))

    def csrf_token(self, request: web.Request) -> str:
        """What a form of this browser must send as `csrf_token`, or a script as X-CSRF-Token; empty without session."""
        session = self.sessions.of(request)
        return "" if session is None else session.csrf_token

    async def caller(self, request: web.Request) -> Person | None:
        """Who calls, None where nothing tells. Raises as `open_session` for a token that is nobody's."""
        token = bearer_of(request)
        if token is not None:
            return await self._known(token)
        session = self.sessions.of(request)
        if session is None:
            return None
        if request.method in _READS:
            return session.person if self.open_reading else await self.still(session)
        await _show_intent(request, session)
        return await self.still(session)

    def middleware(self) -> Middleware:
        """What refuses: writing without a token, and reading where that is closed."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in _OPEN or request.match_info.http_exception is not None:
                return await handler(request)
            if request.path in _OPENING and request.method == "POST":
                return await handler(request)  # which looks at the token itself
            found = await self.caller(request)
            reads = request.method in _READS or request.match_info.route.name == READING_POST
            free = reads and (self.open_reading or request.path.startswith(self.unguarded))
            if found is None and not free:
                raise self.refusal()
            if found is not None:
                request[CALLER] = found
            return await handler(request)

        return guarded

    def refusal(self) -> web.HTTPError:
        """What is told to who shows no token."""
        if self.access is None:
            return web.HTTPForbidden(text=HOW_TO_TURN_ON)
        text = "a token is needed: send it as Authorization: Bearer TOKEN, or open a session"
        return web.HTTPUnauthorized(text=text, headers={"WWW-Authenticate": "Bearer"})

    async def still(self, session: Session) -> Person:
        """Whose session this is, asked again: a token may have been revoked since. Raises as `open_session`."""
        try:
            return await self._known(session.token)
        except web.HTTPUnauthorized:
            self.sessions.end(session)
            raise

    async def _known(self, token: str) -> Person:
        if self.access is None:
            raise web.HTTPForbidden(text=HOW_TO_TURN_ON)
        try:
            found = await self.access.person(token) if len(token) <= LONGEST_TOKEN else None
        except Unavailable as error:
            raise web.HTTPServiceUnavailable(text=f"who calls cannot be found out: {error}") from error
        if found is None:
            refused = 'Bearer error="invalid_token"'
            raise web.HTTPUnauthorized(text="the token is nobody's", headers={"WWW-Authenticate": refused})
        return found


def bearer_of(request: web.Request) -> str | None:
    """The bearer token of a request, None where it has none. Raises HTTPUnauthorized for another scheme."""
    given = request.headers.get("Authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        told = "Authorization must be: Bearer TOKEN"
        raise web.HTTPUnauthorized(text=told, headers={"WWW-Authenticate": "Bearer"})
    return token.strip()


def set_cookie(request: web.Request, response: web.StreamResponse, session: Session) -> None:
    """Let a browser keep its session; other sites cannot send it, nor any script read it."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(
        COOKIE, session.name, max_age=int(SESSION_S), path="/", httponly=True, samesite="Strict", secure=secure
    )


def see_origin(request: web.Request) -> None:
    """Raise HTTPForbidden for what a page of another site has sent."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text=f"a page of {origin} may not act here")


async def _show_intent(request: web.Request, session: Session) -> None:
    """See that a browser's page of ours sent this. Raises HTTPForbidden."""
    see_origin(request)
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        given = str((await request.post()).get(CSRF_FIELD, ""))
    if not hmac.compare_digest((given or "").encode(), session.csrf_token.encode()):
        told = f"the header {CSRF_HEADER} or the field {CSRF_FIELD} must hold this session's token"
        raise web.HTTPForbidden(text=f"{told}; load the page again")

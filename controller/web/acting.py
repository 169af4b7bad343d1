"""The part of the API that changes something: pause, resume, override, and the sessions of browsers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from controller.interventions import Wanted
from controller.records import FLEET
from controller.web.actions import LONGEST_REASON, Act
from controller.web.auth import CALLER, COOKIE, HOW_TO_TURN_ON, LONGEST_TOKEN, SESSION_PATH, see_origin, set_cookie
from controller.web.documents import API_VERSION
from controller.web.holds import intervention
from policies.fixed import MOST_REPLICAS
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from controller.web.actions import Acted, Actions
    from controller.web.auth import Guard, Session
    from controller.web.schemas import InterventionResult, SessionStatus

# Something that can be seen, and no control character: it is shown in logs, tables and pages.
_SEEN = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
LASTING = r"^([1-9][0-9]{0,3}[sm]|([1-9][0-9]?|1[0-5][0-9]|16[0-8])h|[1-7]d)$"

Reason = Annotated[
    StrictStr, Field(min_length=1, max_length=LONGEST_REASON, pattern=_SEEN, description="Why; it is recorded.")
]
Lasting = Annotated[
    StrictStr,
    Field(alias="for", pattern=LASTING, description="How long: a number and s, m, h or d, such as 30m; at most 7d."),
]

M = TypeVar("M", bound="Body")


def whole(given: object) -> object:
    """JSON knows no whole numbers: 3.0 is 3."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


class Body(BaseModel):
    """What is sent; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PauseRequest(Body):
    """Change nothing for a while, whatever the load."""

    reason: Reason
    lasting: Lasting = "1h"


class ResumeRequest(Body):
    """End a pause or an override now."""

    reason: Reason


class OverrideRequest(Body):
    """Keep exactly so many replicas for a while."""

    replicas: Annotated[StrictInt, Field(ge=0, le=MOST_REPLICAS, description="How many."), BeforeValidator(whole)]
    reason: Reason
    lasting: Lasting = "1h"
    beyond_bounds: Annotated[
        StrictBool, Field(alias="beyondBounds", description="Take a count outside of the policy's bounds too.")
    ] = False


class SessionRequest(Body):
    """Show a token once, so that a browser need not keep it."""

    token: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_TOKEN, description="As for Authorization.")]


def routes(guard: Guard, actions: Actions | None) -> list[web.RouteDef]:
    """The routes that change something."""
    acts, sessions, workload = _Acts(actions), _SessionPath(guard), "/api/v1/workloads/{namespace}/{name}"
    return [
        web.post(f"{workload}/pause", acts.pause),
        web.post(f"{workload}/resume", acts.resume),
        web.post(f"{workload}/override", acts.override),
        web.post("/api/v1/fleet/pause", acts.pause),
        web.post("/api/v1/fleet/resume", acts.resume),
        web.post(SESSION_PATH, sessions.begin),
        web.get(SESSION_PATH, sessions.show),
        web.delete(SESSION_PATH, sessions.end),
    ]


@dataclass(frozen=True, slots=True)
class _Acts:
    """Handlers of what people tell."""

    actions: Actions | None

    async def pause(self, request: web.Request) -> web.Response:
        body = await body_of(request, PauseRequest)
        wanted = Wanted("pause", _uid(request), body.reason, parse_duration_s(body.lasting))
        return await self._done(request, Act(wanted))

    async def resume(self, request: web.Request) -> web.Response:
        body = await body_of(request, ResumeRequest)
        return await self._done(request, Act(Wanted("resume", _uid(request), body.reason)))

    async def override(self, request: web.Request) -> web.Response:
        body = await body_of(request, OverrideRequest)
        lasting_s = parse_duration_s(body.lasting)
        wanted = Wanted("override", _uid(request), body.reason, lasting_s, body.replicas)
        return await self._done(request, Act(wanted, body.beyond_bounds))

    async def _done(self, request: web.Request, act: Act) -> web.Response:
        if self.actions is None:
            raise web.HTTPForbidden(text=HOW_TO_TURN_ON)
        return web.json_response(result(await self.actions.do(request[CALLER], act)))


@dataclass(frozen=True, slots=True)
class _SessionPath:
    """Handlers of a browser's session."""

    guard: Guard

    async def begin(self, request: web.Request) -> web.Response:
        see_origin(request)
        session = await self.guard.open_session((await body_of(request, SessionRequest)).token)
        response = web.json_response(_session(session.person.name, session), status=201)
        set_cookie(request, response, session)
        return response

    async def show(self, request: web.Request) -> web.Response:
        person = request.get(CALLER)
        if person is None:
            raise self.guard.refusal()
        return web.json_response(_session(person.name, self.guard.sessions.of(request)))

    async def end(self, request: web.Request) -> web.Response:
        if (found := self.guard.sessions.of(request)) is not None:
            self.guard.sessions.end(found)
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/")
        return response


def result(acted: Acted) -> InterventionResult:
    """What was done."""
    taken = acted.taken
    return {
        "apiVersion": API_VERSION,
        "kind": "InterventionResult",
        "intervention": intervention(taken.told),
        "replaced": None if taken.before is None else intervention(taken.before),
        "recorded": taken.recorded,
        "obstacles": list(acted.obstacles),
    }


def _uid(request: web.Request) -> str:
    """Whose uid a path names; FLEET for the paths of all."""
    names = request.match_info
    return f"{names['namespace']}/{names['name']}" if "name" in names else FLEET


def _session(name: str, session: Session | None) -> SessionStatus:
    token = None if session is None else session.csrf_token
    return {"apiVersion": API_VERSION, "kind": "Session", "name": name, "csrfToken": token}


async def body_of(request: web.Request, model: type[M]) -> M:
    """What was sent as JSON. Raises an HTTP error that names every problem, and never a value: one may be a token."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text=f"the body must be application/json, not {request.content_type}")
    try:
        given = json.loads(await request.text())
    except (ValueError, LookupError, RecursionError) as error:  # LookupError: a charset that nobody knows
        raise web.HTTPBadRequest(text="the body is not JSON") from error
    try:
        return model.model_validate(given)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in error.errors()]
        raise web.HTTPUnprocessableEntity(text="; ".join(told)) from error

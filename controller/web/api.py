"""/api/v1: what is read of the workloads, and errors as problem documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from controller.errors import Conflict, ForesailError, Rejected
from controller.web import documents, health, listed, openapi, projection, readiness
from controller.web.documents import API_VERSION
from controller.web.holds import intervention
from controller.web.once import once
from controller.web.pages import PAGE, Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from controller.records import TickReport
    from controller.web import schemas
    from controller.web.app import Views
    from controller.web.pages import Pages
    from policies.model import Fleet

    Lister = Callable[[TickReport, Asked], Mapping[str, object]]

PREFIX = "/api/"

_ONE = f"{PREFIX}v1/workloads/{{namespace}}/{{name}}"
_SHOWN = 5  # policies named to who asks for one that there is not
_KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After")
_CONTINUE = re.compile(openapi.DECISIONS_CONTINUE)
_ALL_S = float("inf")


def routes(views: Views, pages: Pages, beside: Pages) -> list[web.RouteDef]:
    """The routes that read. `beside` makes what takes long, so that nothing else waits for it."""

    def paged(make: Lister) -> Handler:
        async def page(request: web.Request) -> web.StreamResponse:
            asked, found = Asked.of(request), present(views)
            return await pages.answer(request, found, lambda: make(found, asked))

        return page

    async def workload(request: web.Request) -> web.StreamResponse:
        found = present(views)
        lane = lane_of(found, request)
        last = views.outcomes().get(found.fleet.uid[lane])
        return await pages.answer(request, found, lambda: documents.workload(found, lane, last))

    async def ahead(request: web.Request) -> web.StreamResponse:
        found, left, asked = present(views), views.left(), projection.asked_of(request)
        lane = lane_of(found, request)
        return await beside.answer(request, found, lambda: projection.projection(found, left, lane, asked))

    async def ready(request: web.Request) -> web.StreamResponse:
        found, left = present(views), views.left()
        lane = lane_of(found, request)
        return await pages.answer(request, found, lambda: readiness.readiness(found, left, lane))

    async def interventions(_request: web.Request) -> web.StreamResponse:
        found: schemas.InterventionList = {
            "apiVersion": API_VERSION,
            "kind": "InterventionList",
            "items": [intervention(told) for told in views.interventions().values()],
        }
        return web.json_response(found)

    async def told_health(_request: web.Request) -> web.StreamResponse:
        return web.json_response(health.health(views))

    async def told_version(_request: web.Request) -> web.StreamResponse:
        return web.json_response(views.version)

    async def described(request: web.Request) -> web.StreamResponse:
        return await pages.answer(request, views.report(), openapi.document)

    return [
        web.get(f"{PREFIX}v1/workloads", paged(listed.workloads)),
        web.get(_ONE, workload),
        *_of_the_journal(views),
        web.get(f"{_ONE}/projection", ahead),
        web.get(f"{PREFIX}v1/recommendations", paged(listed.recommendations)),
        web.get(f"{_ONE}/readiness", ready),
        web.get(f"{PREFIX}v1/sizes", paged(lambda found, asked: listed.sizes(found, asked, views.sized()))),
        web.get(f"{PREFIX}v1/budgets", paged(listed.budget_list)),
        web.get(f"{PREFIX}v1/placements", paged(listed.placements)),
        web.get(f"{PREFIX}v1/signals", paged(listed.signals)),
        web.get(f"{PREFIX}v1/holds", paged(listed.hold_list)),
        web.get(f"{PREFIX}v1/interventions", interventions),
        web.get(f"{PREFIX}v1/health", told_health),
        web.get(f"{PREFIX}v1/version", told_version),
        web.get(f"{PREFIX}v1/openapi.json", described),
    ]


def _of_the_journal(views: Views) -> list[web.RouteDef]:
    """The routes that read what the journal holds of a workload."""

    async def decisions(request: web.Request) -> web.StreamResponse:
        found = present(views)
        uid = found.fleet.uid[lane_of(found, request)]
        limit, before_s = _decisions_asked(request)
        rows = await views.decisions(uid, before_s, limit)
        more = repr(rows[-1].at_s) if len(rows) == limit else ""
        return web.json_response(documents.decision_list(rows, more))

    async def orders(request: web.Request) -> web.StreamResponse:
        found = present(views)
        uid = found.fleet.uid[lane_of(found, request)]
        return web.json_response(documents.order_list(await views.orders(uid, _limit_asked(request))))

    return [web.get(f"{_ONE}/decisions", decisions), web.get(f"{_ONE}/orders", orders)]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Below /api, tell errors as application/problem+json."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        if not request.path.startswith(PREFIX):
            raise
        headers = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
        return _problem(request, error.status, error.reason, error.text or "", headers)
    except ForesailError as error:
        if not request.path.startswith(PREFIX):
            raise
        status, title = _status(error)
        return _problem(request, status, title, str(error))


def _problem(
    request: web.Request, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    document = documents.problem(status, title, detail, request.path)
    return web.json_response(document, status=status, content_type=openapi.PROBLEM, headers=headers)


def _status(error: ForesailError) -> tuple[int, str]:
    if isinstance(error, Rejected):
        return 422, "Unprocessable Content"
    return (409, "Conflict") if isinstance(error, Conflict) else (503, "Service Unavailable")


def present(views: Views) -> TickReport:
    """The last report. Raises HTTPServiceUnavailable before the first."""
    found = views.report()
    if found is None:
        raise web.HTTPServiceUnavailable(text="no tick has come to a decision yet; /readyz?verbose says why")
    return found


def lane_of(found: TickReport, request: web.Request) -> int:
    """The lane that a path names. Raises HTTPConflict or HTTPNotFound."""
    uid = f"{request.match_info['namespace']}/{request.match_info['name']}"
    if uid in found.quarantined:
        raise web.HTTPConflict(text=f"{uid} is in quarantine: {found.quarantined[uid]}")
    lane = _lanes(found.fleet).get(uid)
    if lane is None:
        known = ", ".join(found.fleet.uid[:_SHOWN]) or "none"
        raise web.HTTPNotFound(text=f"no policy is in force for {uid}; those in force begin with {known}")
    return lane


@once
def _lanes(fleet: Fleet) -> Mapping[str, int]:
    return {uid: lane for lane, uid in enumerate(fleet.uid)}


def _limit_asked(request: web.Request) -> int:
    """How many of what the journal holds of a workload. Raises HTTPBadRequest."""
    limit = Asked.of(request).limit if "limit" in request.query else openapi.DECISIONS
    if limit > PAGE:
        raise web.HTTPBadRequest(text=f"limit must be a whole number from 1 to {PAGE}, not {limit}")
    return limit


def _decisions_asked(request: web.Request) -> tuple[int, float]:
    """How many decisions, and from before which wall time. Raises HTTPBadRequest."""
    limit = _limit_asked(request)
    begin = request.query.get("continue", "")
    if not _CONTINUE.fullmatch(begin):
        raise web.HTTPBadRequest(text=f"continue must be what the page before says, not {begin!r}")
    return limit, float(begin) if begin else _ALL_S

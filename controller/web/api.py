"""/api/v1: the workloads and their last decisions, and errors as problem documents."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from aiohttp import web

from controller.web import documents

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from controller.records import SizedWorkload, TickReport

    Report = Callable[[], TickReport | None]
    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SHOWN = 5  # policies named to who asks for one that there is not
PREFIX = "/api/"
_PAGE = 500
_LARGEST_PAGE = 5000


def routes(
    report: Report, version: documents.Document, sized: Callable[[], Sequence[SizedWorkload]]
) -> list[web.RouteDef]:
    """The routes of the API. `report` gives the last tick's report; None before the first. `sized` gives sizes."""

    async def workloads(request: web.Request) -> web.Response:
        found = _present(report)
        limit, begin = _limit(request), request.query.get("continue", "")
        uids = found.fleet.uid
        first = bisect_right(uids, begin)
        lanes = range(first, min(first + limit, len(uids)))
        more = uids[lanes[-1]] if lanes and lanes[-1] + 1 < len(uids) else ""
        return web.json_response(documents.workload_list(found, lanes, more))

    async def workload(request: web.Request) -> web.Response:
        found = _present(report)
        uid = f"{request.match_info['namespace']}/{request.match_info['name']}"
        if uid in found.quarantined:
            raise web.HTTPConflict(text=f"{uid} is in quarantine: {found.quarantined[uid]}")
        if uid not in found.fleet.uid:
            known = ", ".join(found.fleet.uid[:_SHOWN]) or "none"
            raise web.HTTPNotFound(text=f"no policy is in force for {uid}; those in force begin with {known}")
        return web.json_response(documents.workload(found, found.fleet.uid.index(uid)))

    async def sizes(_request: web.Request) -> web.Response:
        return web.json_response(documents.size_list(sized()))

    async def told_version(_request: web.Request) -> web.Response:
        return web.json_response(version)

    return [
        web.get(f"{PREFIX}v1/workloads", workloads),
        web.get(f"{PREFIX}v1/workloads/{{namespace}}/{{name}}", workload),
        web.get(f"{PREFIX}v1/sizes", sizes),
        web.get(f"{PREFIX}v1/version", told_version),
    ]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Below /api, tell errors as application/problem+json."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        if not request.path.startswith(PREFIX):
            raise
        document = documents.problem(error.status, error.reason, error.text or "", request.path)
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.json_response(
            document, status=error.status, content_type="application/problem+json", headers=allowed
        )


def _present(report: Report) -> TickReport:
    found = report()
    if found is None:
        raise web.HTTPServiceUnavailable(text="no tick has come to a decision yet; /readyz?verbose says why")
    return found


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", str(_PAGE))
    limit = int(given) if given.isdecimal() and given.isascii() and len(given) <= len(str(_LARGEST_PAGE)) else 0
    if not 1 <= limit <= _LARGEST_PAGE:
        raise web.HTTPBadRequest(text=f"limit must be a whole number from 1 to {_LARGEST_PAGE}, not {given!r}")
    return limit

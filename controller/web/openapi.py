"""The OpenAPI document: what each path takes and answers, rendered from the shapes that the code is held to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from controller.web import acting, schemas, shapes, whatif
from controller.web.auth import COOKIE, CSRF_HEADER, READING_POST
from controller.web.pages import LARGEST_PAGE, PAGE
from policies.fixed import MOST_REPLICAS

if TYPE_CHECKING:
    from controller.web.acting import Body

Json = dict[str, Any]

PROBLEM = "application/problem+json"
JSON = "application/json"
DECISIONS = 20  # of a workload, and orders, unless asked for more
DECISIONS_CONTINUE = r"^([0-9]{1,11}(\.[0-9]{1,9})?)?$"

_REFERENCE = "#/components/schemas/{model}"
_ABOUT = """\
What a running Foresail sees, predicts, has decided and why, has done and will do next; and what people may tell it.

Names are camelCase and times RFC 3339 in UTC; what is not known is null. Lists are read in pages: `limit` bounds one,
`metadata.continue` is where the next one begins, and is empty on the last. Errors are problem documents (RFC 9457).
Within v1 fields are only added."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: the shapes of its body and answer, and the errors that it may answer beside 401 and 403."""

    method: str
    path: str
    id: str
    summary: str
    answer: Any = None
    body: type[Body] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    paged: bool = False
    changes: bool = False
    query: tuple[Json, ...] = ()


_ACTED = (400, 404, 409, 413, 415, 422, 503)
_LISTED = (304, 400, 503)
_ONE = "/workloads/{namespace}/{name}"

OPERATIONS = (
    Operation("get", "/workloads", "listWorkloads", "All workloads.", schemas.WorkloadList, errors=_LISTED, paged=True),
    Operation("get", _ONE, "getWorkload", "One workload.", schemas.WorkloadStatus, errors=(304, 404, 409, 503)),
    Operation(
        "get",
        f"{_ONE}/decisions",
        "listDecisions",
        "A workload's decisions that changed something, the newest first, from the journal.",
        schemas.DecisionList,
        errors=(400, 404, 503),
        paged=True,
    ),
    Operation(
        "get",
        f"{_ONE}/orders",
        "listOrders",
        "A workload's last orders and how each ended, the newest first, from the journal.",
        schemas.OrderList,
        errors=(400, 404, 503),
        query=(
            {
                "name": "limit",
                "in": "query",
                "description": "At most so many items.",
                "schema": {"type": "integer", "minimum": 1, "maximum": PAGE, "default": DECISIONS},
            },
        ),
    ),
    Operation(
        "get",
        f"{_ONE}/readiness",
        "getReadiness",
        "Whether a workload may go from shadow to floor, and to active, by criteria; and what is saved.",
        schemas.WorkloadReadiness,
        errors=(304, 404, 409, 503),
    ),
    Operation(
        "get",
        f"{_ONE}/projection",
        "getProjection",
        "A workload's next half hour: as it goes on now, paused from now on, with an override.",
        schemas.WorkloadProjection,
        errors=(304, 400, 404, 409, 503),
        query=(
            {
                "name": "pause",
                "in": "query",
                "description": "How long a pause from now on lasts; the whole half hour unless set.",
                "schema": {"type": "string", "pattern": acting.LASTING},
            },
            {
                "name": "replicas",
                "in": "query",
                "description": "The count of an override from now on.",
                "schema": {"type": "integer", "minimum": 0, "maximum": MOST_REPLICAS},
            },
        ),
    ),
    Operation(
        "get",
        "/recommendations",
        "listRecommendations",
        "What is recommended to all workloads, and until when.",
        schemas.RecommendationList,
        errors=_LISTED,
        paged=True,
    ),
    Operation(
        "get", "/sizes", "listSizes", "What containers should request.", schemas.SizeList, errors=_LISTED, paged=True
    ),
    Operation(
        "get",
        "/budgets",
        "listBudgets",
        "Caps of namespaces and the fleet.",
        schemas.BudgetList,
        errors=_LISTED,
        paged=True,
    ),
    Operation(
        "get",
        "/placements",
        "listPlacements",
        "Workloads over on-demand and spot.",
        schemas.PlacementList,
        errors=_LISTED,
        paged=True,
    ),
    Operation(
        "get",
        "/signals",
        "listSignals",
        "What is read, and how fresh it is.",
        schemas.SignalList,
        errors=_LISTED,
        paged=True,
    ),
    Operation(
        "get", "/holds", "listHolds", "What is held or fixed, and why.", schemas.HoldList, errors=_LISTED, paged=True
    ),
    Operation("get", "/interventions", "listInterventions", "Pauses and overrides in force.", schemas.InterventionList),
    Operation("get", "/health", "getHealth", "The probes' checks, and the last tick's sources.", schemas.Health),
    Operation("get", "/version", "getVersion", "The version that runs.", schemas.Version),
    *(
        Operation(
            "post",
            f"{where}/{act}",
            f"{act}{what}",
            words,
            schemas.InterventionResult,
            body,
            errors=_ACTED,
            changes=True,
        )
        for where, what, act, words, body in (
            (_ONE, "Workload", "pause", "Change nothing for a while.", acting.PauseRequest),
            (_ONE, "Workload", "resume", "End its pause or override.", acting.ResumeRequest),
            (_ONE, "Workload", "override", "Keep so many replicas for a while.", acting.OverrideRequest),
            ("/fleet", "Fleet", "pause", "Change no workload for a while.", acting.PauseRequest),
            ("/fleet", "Fleet", "resume", "End the pause of all.", acting.ResumeRequest),
        )
    ),
    Operation(
        "post",
        f"{_ONE}/whatif",
        READING_POST,
        "What the last days would have been under another policy, from the journal. It changes nothing.",
        schemas.WhatIf,
        whatif.WhatIfRequest,
        errors=_ACTED,
    ),
    Operation("get", "/session", "getSession", "Who calls.", schemas.SessionStatus, errors=(503,)),
    Operation(
        "post",
        "/session",
        "beginSession",
        "Open a browser's session with a token.",
        schemas.SessionStatus,
        acting.SessionRequest,
        status=201,
        errors=(400, 413, 415, 422, 503),
    ),
    Operation("delete", "/session", "endSession", "End the session.", status=204, errors=(503,), changes=True),
)


@cache
def document() -> Json:
    """The whole document."""
    answers = [each.answer for each in OPERATIONS if each.answer is not None]
    answers += [schemas.Problem, schemas.TickEvent, schemas.ChangeEvent, shapes.Intervention]
    bodies = [each.body for each in OPERATIONS if each.body is not None]
    inputs = [(f"out-{place}", "serialization", TypeAdapter(shape)) for place, shape in enumerate(answers)]
    inputs += [(f"in-{place}", "validation", TypeAdapter(body)) for place, body in enumerate(bodies)]
    _, found = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=_REFERENCE)  # type: ignore[arg-type]  # the library's own literals
    paths: dict[str, Json] = {}
    for each in OPERATIONS:
        paths.setdefault(f"/api/v1{each.path}", {})[each.method] = _operation(each)
    paths["/api/v1/events"] = {"get": _events()}
    paths["/api/v1/debug-bundle"] = {"get": _bundle()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Foresail", "version": version("foresail"), "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {name: _plain(schema) for name, schema in sorted(found["$defs"].items())},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
            },
        },
    }


def _operation(operation: Operation) -> Json:
    told: Json = {"operationId": operation.id, "summary": operation.summary}
    if parameters := _parameters(operation):
        told["parameters"] = parameters
    if operation.body is not None:
        content = {JSON: {"schema": _reference(operation.body)}}
        told["requestBody"] = {"required": True, "content": content}
    if operation.changes:
        told["security"] = [{"bearer": []}, {"session": [], "csrf": []}]
    told["responses"] = _responses(operation)
    return told


def _parameters(operation: Operation) -> list[Json]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in ("namespace", "name")
        if f"{{{name}}}" in operation.path
    ]
    if operation.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
        after: Json = {"type": "string"}
        if operation.id == "listDecisions":
            limit, after = limit | {"maximum": PAGE, "default": DECISIONS}, after | {"pattern": DECISIONS_CONTINUE}
        found += [
            {"name": "limit", "in": "query", "description": "At most so many items.", "schema": limit},
            {"name": "continue", "in": "query", "description": "`continue` of the page before.", "schema": after},
        ]
    return [*found, *operation.query]


_WORDS = {
    200: "Done.",
    201: "Open; the cookie names it.",
    204: "Ended.",
    304: "As If-None-Match has it.",
    400: "The query or the body cannot be read.",
    401: "No token, or nobody's.",
    403: "Not allowed, or actions are turned off.",
    404: "There is no such workload.",
    409: "It does not fit what is in force: a workload in quarantine, bounds, nothing to resume.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "The body says something wrong; every problem is named.",
    503: "Not now: before the first tick, or a server that is needed does not answer.",
}


def _responses(operation: Operation) -> Json:
    first: Json = {"description": _WORDS[operation.status]}
    if operation.answer is not None:
        first["content"] = {JSON: {"schema": _reference(operation.answer)}}
    found = {str(operation.status): first}
    for status in sorted({401, 403, *operation.errors}):
        found[str(status)] = {"description": _WORDS[status]}
        if status != 304:  # noqa: PLR2004 - Not Modified has no body
            found[str(status)]["content"] = {PROBLEM: {"schema": _reference(schemas.Problem)}}
    return found


def _events() -> Json:
    """The stream, which OpenAPI has no words for beyond its media type."""
    problem = {PROBLEM: {"schema": _reference(schemas.Problem)}}
    return {
        "operationId": "streamEvents",
        "summary": "Server-sent events: tick, change, intervention, reset.",
        "description": (
            "`tick` comes after the `change`s of each tick, `intervention` when people told something; `reset` says"
            " that events were missed since `Last-Event-ID`, so that lists must be read again. Their data are the"
            " shapes TickEvent, ChangeEvent and Intervention. A comment comes every 15 s of silence. A stream ends"
            " after a quarter of an hour, and for who is too slow; browsers come back by themselves."
        ),
        "parameters": [{"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}],
        "responses": {
            "200": {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            "401": {"description": _WORDS[401], "content": problem},
            "403": {"description": _WORDS[403], "content": problem},
            "503": {"description": "Too many listen.", "content": problem},
        },
    }


def _bundle() -> Json:
    """The archive, which is no JSON."""
    problem = {PROBLEM: {"schema": _reference(schemas.Problem)}}
    return {
        "operationId": "getDebugBundle",
        "summary": "What explains this Foresail, without secrets, for who may act on all workloads.",
        "security": [{"bearer": []}, {"session": []}],
        "responses": {
            "200": {
                "description": "A tar archive, compressed with gzip.",
                "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
            },
            **{str(status): {"description": _WORDS[status], "content": problem} for status in (401, 403, 503)},
        },
    }


def _reference(shape: Any) -> Json:  # noqa: ANN401 - a class of any kind
    return {"$ref": _REFERENCE.format(model=shape.__name__)}


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """A schema without the titles that only repeat names."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if name != "title" or not isinstance(value, str)}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema

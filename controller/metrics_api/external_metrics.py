"""external.metrics.k8s.io/v1beta1: the recommendations as an external metric that an HPA reads.

What is not known, not fresh or held is an error and never a number: an HPA with a metric that it cannot read raises by
the others alone, and does not lower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from controller.adapters.kubernetes.selectors import parse_selector
from controller.errors import Unavailable
from policies.signals import RECOMMENDED_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from controller.adapters.recommendations import Recommendation, Recommended

    Present = Callable[[], Awaitable[Recommended]]

GROUP_VERSION = "external.metrics.k8s.io/v1beta1"
METRIC = RECOMMENDED_REPLICAS.name

_BASE = f"/apis/{GROUP_VERSION}"
_PROBES = frozenset({"/livez", "/readyz"})
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    503: "ServiceUnavailable",
}
_FAILED = 400


def external_metrics(present: Present, names: Callable[[], tuple[str, ...]]) -> web.Application:
    """The application. TLS lets in who shows a certificate of the front proxy's authority, or none.

    Without one only the probes answer; `names` are the common names that it may have, every one where there are none.
    """
    app = web.Application(middlewares=[_statuses, _of_the_front_proxy(names)])
    app.add_routes(
        [
            *(web.get(probe, _well) for probe in sorted(_PROBES)),
            web.get(_BASE, _discovery),
            web.get(f"{_BASE}/namespaces/{{namespace}}/{{metric}}", _values(present)),
        ]
    )
    return app


def _values(present: Present) -> Handler:
    async def values(request: web.Request) -> web.Response:
        namespace, metric = request.match_info["namespace"], request.match_info["metric"]
        if metric != METRIC:
            raise web.HTTPNotFound(text=f"there is no external metric {metric}; there is {METRIC}")
        selector = request.query.get("labelSelector", "")
        found = await present()
        chosen = _chosen(found, namespace, selector)
        if not chosen:
            raise web.HTTPNotFound(text=f"no policy's workload in {namespace} matches {selector!r}")
        items = [_value(found, namespace, each) for each in chosen]
        told = {"kind": "ExternalMetricValueList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": items}
        return web.json_response(told)

    return values


def _chosen(found: Recommended, namespace: str, selector: str) -> list[Recommendation]:
    """The workloads that a selector means, all of the namespace where it is empty. Raises HTTPBadRequest."""
    workloads = found.workloads.get(namespace, ())
    if not selector:
        return list(workloads)
    try:
        selects = parse_selector(selector)
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return [each for each in workloads if selects.matches(_labels(namespace, each))]


def _value(found: Recommended, namespace: str, of: Recommendation) -> Mapping[str, object]:
    """One value. Raises Unavailable where there is none: a sum over the others would be too low."""
    if of.replicas is None:
        raise Unavailable(f"nothing is recommended to {namespace}/{of.name} now ({of.hold or 'held'})")
    return {
        "metricName": METRIC,
        "metricLabels": _labels(namespace, of),
        "timestamp": found.at,
        "value": f"{1000 * of.replicas}m",
    }


def _labels(namespace: str, of: Recommendation) -> dict[str, str]:
    return {"namespace": namespace, "workload": of.name}


async def _discovery(_request: web.Request) -> web.Response:
    resource = {
        "name": METRIC,
        "singularName": "",
        "namespaced": True,
        "kind": "ExternalMetricValueList",
        "verbs": ["get"],
    }
    told = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": [resource]}
    return web.json_response(told)


async def _well(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _of_the_front_proxy(names: Callable[[], tuple[str, ...]]) -> Middleware:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _PROBES:
            return await handler(request)
        found = _common_name(request)
        if found is None:
            raise web.HTTPUnauthorized(text="only the API server may ask: a certificate of its front proxy is needed")
        if (allowed := names()) and found not in allowed:
            raise web.HTTPForbidden(text=f"{found} is not the front proxy ({', '.join(allowed)})")
        return await handler(request)

    return guarded


def _common_name(request: web.Request) -> str | None:
    """The name on the client's certificate, which TLS has verified; None without one."""
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    if not certificate:
        return None
    subject = (part for each in certificate.get("subject", ()) for part in each)
    return next((value for key, value in subject if key == "commonName"), "")


@web.middleware
async def _statuses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as Kubernetes has them."""
    try:
        return await handler(request)
    except Unavailable as error:
        return _status(503, str(error))
    except web.HTTPException as error:
        if error.status < _FAILED:
            raise
        return _status(error.status, error.text or error.reason)


def _status(code: int, message: str) -> web.Response:
    told = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS.get(code, ""),
        "code": code,
    }
    return web.json_response(told, status=code)

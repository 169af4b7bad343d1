"""Owns plain requests with documents to a Kubernetes API server, over `kubernetes.aio`'s transport."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, Configuration

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
TIMEOUT = aiohttp.ClientTimeout(total=30)


def api_client(url: str, *, ca_file: Path, token: str) -> ApiClient:
    """Return a client of the generated kind, to be used with `async with`."""
    configuration = Configuration(host=url, ssl_ca_cert=str(ca_file))
    configuration.api_key["BearerToken"] = token
    configuration.api_key_prefix["BearerToken"] = "Bearer"
    return ApiClient(configuration)


async def request(
    api: ApiClient, method: str, path: str, body: Document | None = None, *, content_type: str = JSON
) -> Document:
    """Send one document and return the answer's; raises ApiException for any status from 300.

    The generated models are left out: they refuse what an old server leaves empty.
    """
    headers = {"Accept": JSON, "Content-Type": content_type}
    parts = await api.param_serialize(method, path, header_params=headers, auth_settings=["BearerToken"])
    url, sent = parts[1], parts[2]
    answer = await api.call_api(method, url, sent, body, _request_timeout=TIMEOUT)
    text = (await answer.response.read()).decode(errors="replace")
    if answer.status >= 300:
        raise ApiException.from_response(http_resp=answer, body=text, data=None)
    document: Document = json.loads(text)
    return document


def collection(namespace: str, resource: str) -> str:
    """Return the path of a namespace's collection; workloads are of apps/v1, the rest of the core."""
    group = "/apis/apps/v1" if resource in {"deployments", "replicasets", "statefulsets"} else "/api/v1"
    return f"{group}/namespaces/{namespace}/{resource}"

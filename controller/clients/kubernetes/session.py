"""One authenticated session with an API server: raw JSON requests with deadlines, and streams for watches."""

from __future__ import annotations

import json
import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from controller.errors import Conflict, ForesailError, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

JsonObject = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"  # its body is a list of changes
NO_ANSWER = 0  # the status of a failure without an answer

_CONNECT_S = 10.0
_REFRESH_S = 60.0  # as often as the library re-reads a service account's token
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_LONGEST_MESSAGE = 500


class ApiFailure(Exception):
    """A request without a useful answer: the HTTP status (0 without one), and what the server said."""

    def __init__(self, status: int, message: str, *, retry_after_s: float = 0.0) -> None:
        """Hold what is known of the failure."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s

    @property
    def denied(self) -> bool:
        """The server answered that this may not be read, or does not exist: nothing else is wrong."""
        return self.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: a path with its parameters, and a body where there is one."""

    path: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject | list[JsonObject] | None = None
    content_type: str = "application/json"


async def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    in_cluster: bool | None = None,
    request_timeout_s: float = 10.0,
) -> KubernetesSession:
    """Open a session; nothing is asked of the server yet.

    A kubeconfig that is named wins; without one, `in_cluster` decides, and by default the environment that
    Kubernetes gives to pods. Tokens are read again every minute: from the service account's file, from
    `tokenFile`, or from an exec plugin when its token has run out.

    Raises:
        Rejected: no configuration is to be found, or it cannot be used.
    """
    configuration = Configuration()
    inside = _IN_CLUSTER in os.environ if in_cluster is None else in_cluster
    try:
        if kubeconfig is None and inside:
            config.load_incluster_config(configuration)
        else:
            await _load_kubeconfig(configuration, kubeconfig, context)
    except (config.ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
        by = "the service account" if kubeconfig is None and inside else f"the kubeconfig {_files(kubeconfig)}"
        raise Rejected(f"no way to the Kubernetes API server by {by}: {_worded(error)}") from error
    configuration.connection_pool_maxsize = 0  # a watch holds a connection for as long as it lives
    return KubernetesSession(ApiClient(configuration), request_timeout_s=request_timeout_s)


async def _load_kubeconfig(configuration: Configuration, named: Path | None, context: str | None) -> None:
    files = _files(named)
    if not any(Path(file).expanduser().is_file() for file in files.split(os.pathsep) if file):  # noqa: ASYNC240 - once, at the start
        raise Rejected(f"no kubeconfig at {files}; name one with --kubeconfig or KUBECONFIG")
    loader = await config.load_kube_config(
        config_file=files, context=context, client_configuration=configuration, persist_config=False
    )
    read_at_s = time.monotonic()

    async def read_again(of: Configuration) -> None:
        nonlocal read_at_s
        if time.monotonic() - read_at_s >= _REFRESH_S:
            read_at_s = time.monotonic()
            await loader.load_and_set(of)

    configuration.refresh_api_key_hook = read_again  # type: ignore[assignment]  # the library infers None


def _files(named: Path | None) -> str:
    return str(named) if named else str(config.KUBE_CONFIG_DEFAULT_LOCATION)


def _worded(error: Exception) -> str:
    """One line; the library stumbles over a file that holds no mapping."""
    return "it holds no configuration" if isinstance(error, TypeError) else " ".join(str(error).split())


class KubernetesSession:
    """Requests to one API server. Every failure of a request is an `ApiFailure`."""

    def __init__(self, client: ApiClient, *, request_timeout_s: float = 10.0) -> None:
        """Talk through the library's client, which authenticates and holds the connections."""
        self._client = client
        self._deadline = aiohttp.ClientTimeout(total=request_timeout_s, sock_connect=_CONNECT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    @property
    def host(self) -> str:
        """The server's URL."""
        return str(self._client.configuration.host)

    async def ask(self, request: Request) -> JsonObject:
        """Send a request and read its whole answer as a JSON object.

        Raises:
            ApiFailure: no answer in time, a status of 400 and above, or something else than a JSON object.
        """
        payload = await self.read(request)
        try:
            answer = json.loads(payload)
        except ValueError as error:
            raise ApiFailure(NO_ANSWER, f"{request.path}: the answer is no JSON: {error}") from error
        if not isinstance(answer, dict):
            raise ApiFailure(NO_ANSWER, f"{request.path}: the answer is no JSON object")
        return answer

    async def get(self, path: str, **params: str) -> JsonObject:
        """Read one object. Raises as `ask`."""
        return await self.ask(Request(path, params=params))

    async def read(self, request: Request, *, timeout_s: float | None = None) -> bytes:
        """Send a request and read its whole answer as bytes. Raises ApiFailure."""
        deadline = self._deadline
        if timeout_s is not None:
            deadline = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        try:
            async with await self._send(request, deadline) as answer:
                return await answer.read()
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise _no_answer(request, error) from error

    @asynccontextmanager
    async def stream(self, request: Request, *, idle_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that goes on: chunks as they come. Silence of `idle_s` seconds ends it with ApiFailure."""
        deadline = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=idle_s)
        try:
            async with await self._send(request, deadline) as answer:
                yield answer.content.iter_any()
        except (aiohttp.ClientError, OSError) as error:
            raise _no_answer(request, error) from error

    async def _send(self, request: Request, deadline: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            method, url, headers, body, _ = await self._client.param_serialize(
                request.method,
                request.path,
                query_params=list(request.params.items()),
                header_params={"Content-Type": request.content_type, "Accept": "application/json"},
                body=request.body,
                auth_settings=["BearerToken"],
            )
        except (config.ConfigException, OSError, ValueError) as error:
            raise ApiFailure(NO_ANSWER, f"the credentials cannot be read again: {error}") from error
        sent = await self._client.call_api(method, url, headers, body, None, deadline)
        answer: aiohttp.ClientResponse = sent.response
        if answer.status >= HTTPStatus.BAD_REQUEST:
            async with answer:
                raise _refused(answer, await answer.read())
        return answer


def translated(failure: ApiFailure, *, doing: str) -> ForesailError:
    """Name a failure by what to do next: 409 is Conflict, other refusals Rejected, the rest Unavailable.

    401 is Unavailable: tokens run out and are renewed.
    """
    message = f"{doing}: {failure.message}"
    match failure.status:
        case HTTPStatus.CONFLICT:
            return Conflict(message)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_MANY_REQUESTS:
            return Unavailable(message)
        case status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Rejected(message)
        case _:
            return Unavailable(message)


def _no_answer(request: Request, error: Exception) -> ApiFailure:
    why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return ApiFailure(NO_ANSWER, f"{request.method} {request.path}: {why}")


def _refused(answer: aiohttp.ClientResponse, payload: bytes) -> ApiFailure:
    """Take the message out of the Status object that the server answers with, where it is one."""
    try:
        told = json.loads(payload)
        message = str(told["message"])
    except (ValueError, TypeError, KeyError):
        message = payload.decode(errors="replace").strip()
    words = message[:_LONGEST_MESSAGE] or str(answer.reason)
    after = answer.headers.get("Retry-After", "")
    return ApiFailure(
        answer.status, f"{words} (HTTP {answer.status})", retry_after_s=float(after) if after.isdecimal() else 0.0
    )

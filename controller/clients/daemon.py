"""The API of a running daemon, as the command line reads it."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from controller.errors import ForesailError, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIMEOUT_S = 10.0
BUNDLE_TIMEOUT_S = 120.0
_GZIP = b"\x1f\x8b"
_PAGE = 1000
_UNAVAILABLE = 500  # from here on the server is at fault

Document = dict[str, Any]


class DaemonApi:
    """The daemon at an http or https URL. Blocks; no proxy stands between."""

    def __init__(self, url: str) -> None:
        """Nothing is asked yet."""
        self.url = url.rstrip("/")
        self._opener: OpenerDirector = build_opener(ProxyHandler({}))

    def workload_pages(self) -> Iterator[Document]:
        """The workloads, page by page. Raises Unavailable when no daemon answers, and Rejected."""
        more = ""
        while True:
            page = self._get(f"/api/v1/workloads?limit={_PAGE}&continue={quote(more, safe='')}")
            yield page
            more = page["metadata"]["continue"]
            if not more:
                return

    def workload(self, namespace: str, name: str) -> Document:
        """One workload with its last decision. Raises Unavailable, and Rejected when there is no such workload."""
        return self._get(f"/api/v1/workloads/{quote(namespace, safe='')}/{quote(name, safe='')}")

    def projection(self, namespace: str, name: str) -> Document:
        """Its next half hour. Raises as `workload` does; Rejected by a daemon that does not know it yet, too."""
        return self._get(f"/api/v1/workloads/{quote(namespace, safe='')}/{quote(name, safe='')}/projection")

    def readiness(self, namespace: str, name: str) -> Document:
        """Whether it may go from shadow to floor, and to active. Raises as `projection` does."""
        return self._get(f"/api/v1/workloads/{quote(namespace, safe='')}/{quote(name, safe='')}/readiness")

    def orders(self, namespace: str, name: str, *, limit: int) -> Document:
        """Its last orders, the newest first. Raises as `workload` does."""
        return self._get(f"/api/v1/workloads/{quote(namespace, safe='')}/{quote(name, safe='')}/orders?limit={limit}")

    def tell(self, place: Sequence[str], body: Document, token: str) -> Document:
        """Post to a path below /api/v1, with a bearer token. Raises Unavailable, and Rejected with the reason."""
        path = "/".join(quote(part, safe="") for part in place)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode()
        return self._asked(Request(f"{self.url}/api/v1/{path}", data, headers))  # noqa: S310 - as below

    def debug_bundle(self, token: str) -> bytes:
        """The debug bundle's bytes. Raises Unavailable, and Rejected with the reason."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = Request(f"{self.url}/api/v1/debug-bundle", headers=headers)  # noqa: S310 - as below
        body = self._answered(request, BUNDLE_TIMEOUT_S)
        if not body.startswith(_GZIP):
            raise Unavailable(f"what answers at {self.url} is not Foresail, or an older one")
        return body

    def _get(self, path: str) -> Document:
        return self._asked(Request(f"{self.url}{path}"))  # noqa: S310 - http or https, see `daemon`

    def _asked(self, request: Request) -> Document:
        body = self._answered(request, TIMEOUT_S)
        try:
            document = json.loads(body)
        except ValueError as error:
            raise Unavailable(f"what answers at {self.url} is not Foresail: {error}") from error
        if not isinstance(document, dict) or "kind" not in document:
            raise Unavailable(f"what answers at {self.url} is not Foresail")
        return document

    def _answered(self, request: Request, timeout_s: float) -> bytes:
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                body: bytes = answer.read()
        except HTTPError as error:
            raise self._refusal(error) from error
        except (URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unavailable(f"no daemon answers at {self.url} ({reason}); start one or name it with --url") from error
        return body

    def _refusal(self, error: HTTPError) -> ForesailError:
        """The problem document's words, where there is one."""
        with error:
            try:
                detail = json.load(error)["detail"]
            except (ValueError, LookupError, TypeError):
                return Unavailable(f"what answers at {self.url} is not Foresail: HTTP status {error.code}")
        return Unavailable(detail) if error.code >= _UNAVAILABLE else Rejected(detail)

"""An API server's objects in memory, behind the session's own two methods; it fails where a test says so."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from controller.clients.kubernetes import ApiFailure

if TYPE_CHECKING:
    from controller.clients.kubernetes import Request

Document = dict[str, Any]

VERSIONS = {"autoscaling": "v2", "keda.sh": "v1alpha1"}
APPS = [{"name": name, "kind": "Deployment", "namespaced": True} for name in ("deployments", "deployments/scale")]


@dataclass
class StoredObjects:
    """Objects by path. The write numbered `fails_at`, from 0, fails: before it is done, or after (`answer_lost`)."""

    objects: dict[str, Document] = field(default_factory=dict)
    fails_at: int | None = None
    answer_lost: bool = False
    writes: list[str] = field(default_factory=list)
    seen: list[dict[str, Document]] = field(default_factory=list)  # the objects after each write

    async def get(self, path: str, **_params: str) -> Document:
        group = path.removeprefix("/apis/")
        if group in VERSIONS:
            return {"versions": [{"version": VERSIONS[group]}]}
        if path == "/apis/apps/v1":
            return {"resources": APPS}
        if path in self.objects:
            return copy.deepcopy(self.objects[path])
        if path.rpartition("/")[2] in {"horizontalpodautoscalers", "scaledobjects"}:
            return {"items": [copy.deepcopy(each) for at, each in self.objects.items() if at.startswith(f"{path}/")]}
        raise ApiFailure(HTTPStatus.NOT_FOUND, f"{path} is not there")

    async def ask(self, request: Request) -> Document:
        number = len(self.writes)
        self.writes.append(f"{request.method} {request.path}")
        if number == self.fails_at and not self.answer_lost:
            raise ApiFailure(HTTPStatus.SERVICE_UNAVAILABLE, "the server is away")
        done = self._done(request)
        self.seen.append(copy.deepcopy(self.objects))
        if number == self.fails_at:
            raise ApiFailure(HTTPStatus.SERVICE_UNAVAILABLE, "the answer is lost")
        return done

    def _done(self, request: Request) -> Document:
        body = copy.deepcopy(request.body)
        assert isinstance(body, dict)
        match request.method:
            case "POST":
                path = f"{request.path}/{body['metadata']['name']}"
                if path in self.objects:
                    raise ApiFailure(HTTPStatus.CONFLICT, "it is there already")
                namespace = request.path.split("/")[-2]
                body["metadata"] |= {"namespace": namespace, "uid": "new", "resourceVersion": "1"}
                self.objects[path] = body
            case "PATCH":
                annotations = self.objects[request.path]["metadata"].setdefault("annotations", {})
                annotations |= body["metadata"]["annotations"]
                for name in [name for name, value in annotations.items() if value is None]:
                    del annotations[name]
            case "DELETE":
                metadata = self.objects[request.path]["metadata"]
                if any(metadata[name] != value for name, value in body["preconditions"].items()):
                    raise ApiFailure(HTTPStatus.CONFLICT, "it has changed")
                del self.objects[request.path]
            case method:
                raise AssertionError(method)
        return body

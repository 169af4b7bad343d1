"""The shared session with a Kubernetes API server, and watches that survive it."""

from controller.clients.kubernetes.session import (
    JSON_PATCH,
    MERGE_PATCH,
    ApiFailure,
    JsonObject,
    KubernetesSession,
    Request,
    connect,
    translated,
)
from controller.clients.kubernetes.watch import WATCH_S, Change, Gone, ListWatch, Put, Replaced, Subject

__all__ = [
    "JSON_PATCH",
    "MERGE_PATCH",
    "WATCH_S",
    "ApiFailure",
    "Change",
    "Gone",
    "JsonObject",
    "KubernetesSession",
    "ListWatch",
    "Put",
    "Replaced",
    "Request",
    "Subject",
    "connect",
    "translated",
]

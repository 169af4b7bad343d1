"""By what an API server is known to the servers that it passes requests on to: its front proxy's authority."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.clients.kubernetes import ApiFailure
from controller.errors import Unavailable

if TYPE_CHECKING:
    from controller.clients.kubernetes import KubernetesSession

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """The authority of its certificates in PEM form, and the common names it may have; without any, every name."""

    authority: str
    names: tuple[str, ...] = ()


async def front_proxy(session: KubernetesSession) -> FrontProxy:
    """What the API server publishes for this purpose. Raises Unavailable."""
    try:
        data = (await session.get(CONFIG_MAP)).get("data") or {}
        authority, names = data["requestheader-client-ca-file"], json.loads(data["requestheader-allowed-names"])
    except ApiFailure as failure:
        told = " (apply deploy/metrics-api.yaml)" if failure.denied else ""
        raise Unavailable(f"the front proxy's authority cannot be read: {failure.message}{told}") from failure
    except (LookupError, ValueError) as error:
        missing = "the API server tells of no front proxy; it is one with --requestheader-client-ca-file"
        raise Unavailable(missing) from error
    return FrontProxy(str(authority), tuple(map(str, names)))

"""Owns how a server of a test becomes part of the Kubernetes API: a Service and an APIService that lead to it."""

from __future__ import annotations

from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from kubernetes.aio.client import ApiException

from tests.integration.servers.kube_client import collection, request
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kubernetes.aio.client import ApiClient

    from tests.integration.servers.certificates import Pair
    from tests.integration.servers.kube_client import Document
    from tests.integration.servers.kubernetes import KubeApi

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
PATIENCE_S = 60.0


def service_of(group: str) -> str:
    """The name of the Service that leads to the server of a group."""
    return group.replace(".", "-")


def serving_pair(kube_api: KubeApi, namespace: str, group: str) -> Pair:
    """Make the certificate that the API server expects of the server of a group."""
    return kube_api.certificates.for_service(namespace, service_of(group))


@asynccontextmanager
async def aggregated(kube_api: KubeApi, namespace: str, group: str, port: int) -> AsyncIterator[str]:
    """Let a TLS server on loopback serve `group`/v1beta1 while the block lasts; yields the APIService's path.

    The server must show the pair that `serving_pair` makes.
    """
    name, service = f"v1beta1.{group}", service_of(group)
    bundle = b64encode(kube_api.ca_file.read_bytes()).decode()
    api_service = {
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "service": {"namespace": namespace, "name": service, "port": port},
            "caBundle": bundle,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    # Endpoints refuse loopback addresses; a name does not.
    leads = {"metadata": {"name": service}, "spec": {"type": "ExternalName", "externalName": "localhost"}}
    async with kube_api.client() as api:
        await request(api, "POST", collection(namespace, "services"), leads)
        await eventually_async(lambda: _posted(api, api_service), what=name)
    try:
        yield f"{SERVICES}/{name}"
    finally:
        async with kube_api.client() as api:
            await eventually_async(lambda: _gone(api, f"{SERVICES}/{name}"), what=f"no {name}")
            await request(api, "DELETE", f"{collection(namespace, 'services')}/{service}")


async def available(kube_api: KubeApi, api_service: str) -> None:
    """Wait until the API server passes requests on; it looks at least every 30 s."""
    async with kube_api.client() as api:

        async def answers() -> bool:
            found = await request(api, "GET", api_service)
            conditions = found.get("status", {}).get("conditions", [])
            told = {one["type"]: one for one in conditions}.get("Available", {})
            assert told.get("status") == "True", told
            return True

        await eventually_async(answers, PATIENCE_S, what=api_service)


async def _posted(api: ApiClient, api_service: Document) -> bool:
    """Whether it is there: the first posts to a new server of this version end with its panic, which it survives."""
    try:
        await request(api, "POST", SERVICES, api_service)
    except aiohttp.ClientError:
        return False
    except ApiException as error:
        if error.status == 409:
            return True
        if error.status < 500:
            raise
        return False
    return True


async def _gone(api: ApiClient, path: str) -> bool:
    try:
        await request(api, "DELETE", path)
    except aiohttp.ClientError:
        return False
    except ApiException as error:
        if error.status == 404:
            return True
        raise
    return False

"""Who may act, as a real API server says it, asked with the rights of deploy/rbac.yaml alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from controller.adapters.kubernetes import KubernetesAccess
from controller.adapters.kubernetes.access import KEPT_S
from controller.adapters.kubernetes.discovery import Discovery
from controller.clients.kubernetes import connect
from controller.errors import Unavailable
from tests.integration.daemon import rights
from tests.integration.servers.kube_client import collection
from tests.integration.servers.process import eventually_async
from tests.integration.watched_cluster import rule, send, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi

SCALER = [rule("apps", "deployments/scale", "update")]
READER = [rule("apps", "deployments", "get", "list")]


class Clock:
    """Monotonic time that the test moves."""

    at_s = 0.0

    def now_s(self) -> float:
        return self.at_s

    def elapsed_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@asynccontextmanager
async def asking(
    kube_api: KubeApi, namespace: str, folder: Path, *, granted: bool = True
) -> AsyncIterator[tuple[KubernetesAccess, Clock]]:
    rules = rights() if granted else READER
    own = await kube_api.service_account(namespace, "foresail", rules, cluster=True)
    clock = Clock()
    async with await connect(kubeconfig=kube_api.kubeconfig_for(own.token, folder)) as session:
        yield KubernetesAccess(session, Discovery(session, clock), clock), clock


async def test_who_may_scale_a_target_may_act_on_it_alone(kube_api: KubeApi, namespace: str, tmp_path: Path) -> None:
    scaler = await kube_api.service_account(namespace, "scaler", SCALER)
    async with asking(kube_api, namespace, tmp_path) as (access, _):
        person = await access.person(scaler.token)
        assert person is not None
        assert person.name == f"system:serviceaccount:{namespace}:scaler"
        assert f"system:serviceaccounts:{namespace}" in person.groups
        assert await access.may_act(person, web(namespace)) is None
        refused = await access.may_act(person, web("elsewhere"))
        assert refused == (
            "Kubernetes does not let them update deployments/scale web, nor workloadpolicies.foresail.dev, in namespace"
            " elsewhere"
        )
        assert "in all namespaces" in str(await access.may_act(person, None))


async def test_who_may_only_read_may_not_and_a_policy_writer_may(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    reader = await kube_api.service_account(namespace, "reader", READER)
    writer = await kube_api.service_account(
        namespace, "writer", [rule("foresail.dev", "workloadpolicies", "update")], cluster=True
    )
    async with asking(kube_api, namespace, tmp_path) as (access, _):
        reading, writing = await access.person(reader.token), await access.person(writer.token)
        assert reading is not None
        assert writing is not None
        assert await access.may_act(reading, web(namespace)) is not None
        assert await access.may_act(writing, web(namespace)) is None
        assert await access.may_act(writing, None) is None


async def test_a_token_of_nobody_and_one_that_was_revoked(kube_api: KubeApi, namespace: str, tmp_path: Path) -> None:
    scaler = await kube_api.service_account(namespace, "scaler", SCALER)
    async with asking(kube_api, namespace, tmp_path) as (access, clock):
        assert await access.person("nobodys-token") is None
        assert await access.person(scaler.token + "x") is None
        assert await access.person(scaler.token) is not None
        await send(kube_api, "DELETE", f"{collection(namespace, 'serviceaccounts')}/scaler")
        assert await access.person(scaler.token) is not None  # kept for ten seconds

        async def forgotten() -> bool:  # the API server keeps its own answers for some seconds too
            clock.at_s += KEPT_S + 1.0
            return await access.person(scaler.token) is None

        await eventually_async(forgotten, 60, what="the token to be nobody's")


async def test_without_the_rights_to_ask_it_says_what_is_missing(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    scaler = await kube_api.service_account(namespace, "scaler", SCALER)
    async with asking(kube_api, namespace, tmp_path, granted=False) as (access, _):
        with pytest.raises(Unavailable, match=r"TokenReview: .*forbidden.*deploy/rbac\.yaml") as raised:
            await access.person(scaler.token)
        assert scaler.token not in str(raised.value)

"""Publishing on a real API server with the rights of deploy/rbac.yaml alone, and to a real Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from controller.adapters.kubernetes.published import (
    DASHBOARDS_NAME,
    RULE_NAME,
    RULES_NAME,
    PublishedObject,
    dashboards_place,
    prometheus_rule_place,
    rules_place,
)
from controller.adapters.published_files import PublishedFiles
from controller.clients.http import HttpAccess, HttpClient
from controller.clients.kubernetes import connect
from controller.publish import Content
from tests.integration.daemon import RBAC
from tests.integration.servers.kube_client import MERGE, Document, request
from tests.integration.servers.process import eventually, http_request
from tests.integration.servers.prometheus_rule_crd import GROUP, install_prometheus_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from controller.adapters.kubernetes.published import Place
    from controller.clients.kubernetes import KubernetesSession
    from controller.records import Publication
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

CONTENT = Content()


def publishing_rights() -> list[Document]:
    documents = yaml.safe_load_all(RBAC.read_text())
    (rules,) = [each["rules"] for each in documents if each["kind"] == "Role"]
    return list(rules)


def test_the_rights_name_what_is_published_and_nothing_else() -> None:
    rules = publishing_rights()
    assert [rule["resourceNames"] for rule in rules] == [[DASHBOARDS_NAME, RULES_NAME], [RULE_NAME]]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "create", "patch"}


@pytest.fixture
async def session(kube_api: KubeApi, namespace: str, tmp_path: Path) -> AsyncIterator[KubernetesSession]:
    """A session with the rights to publish, and no others."""
    await install_prometheus_rules(kube_api)
    account = await kube_api.service_account(namespace, "publisher", publishing_rights())
    async with await connect(kubeconfig=kube_api.kubeconfig_for(account.token, tmp_path)) as opened:
        yield opened


async def publish(
    session: KubernetesSession,
    place: Place,
    content: Callable[[], Mapping[str, object]],
    *,
    write: bool = True,
    force: bool = False,
) -> Publication:
    (done,) = await PublishedObject(session, "test", place, content).publish(write=write, force=force)
    return done


async def stored(kube_api: KubeApi, place: Place) -> Document:
    async with kube_api.client() as api:
        return await request(api, "GET", f"{place.resource.path(place.namespace)}/{place.name}")


async def change(kube_api: KubeApi, place: Place, body: Document, manager: str = "kubectl-edit") -> None:
    """Change it as a person does."""
    path = f"{place.resource.path(place.namespace)}/{place.name}?fieldManager={manager}"
    async with kube_api.client() as api:
        await request(api, "PATCH", path, body, content_type=MERGE)


async def test_dashboards_are_one_labelled_configmap(
    kube_api: KubeApi, namespace: str, session: KubernetesSession
) -> None:
    place = dashboards_place(namespace)
    assert (await publish(session, place, CONTENT.compact_dashboards, write=False)).result == "created"
    done = await publish(session, place, CONTENT.compact_dashboards)
    assert (done.result, done.message) == ("created", "")

    made = await stored(kube_api, place)
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert made["data"] == CONTENT.compact_dashboards()
    assert {each["manager"] for each in made["metadata"]["managedFields"]} == {"foresail"}
    again = await publish(session, place, CONTENT.compact_dashboards)
    assert again.result == "unchanged"
    assert (await stored(kube_api, place))["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_what_is_rendered_no_more_goes_and_what_changed_is_written(
    kube_api: KubeApi, namespace: str, session: KubernetesSession
) -> None:
    place = rules_place(namespace, {"release": "prom"})
    await publish(session, place, lambda: {"a.yaml": "groups: []", "b.yaml": "groups: []"})

    assert (await publish(session, place, lambda: {"a.yaml": "groups: [] # now"})).result == "updated"
    made = await stored(kube_api, place)
    assert made["data"] == {"a.yaml": "groups: [] # now"}
    assert made["metadata"]["labels"]["release"] == "prom"


async def test_rules_are_a_prometheus_rule_and_a_persons_change_is_kept(
    kube_api: KubeApi, namespace: str, session: KubernetesSession
) -> None:
    place = prometheus_rule_place(namespace, {"release": "prom"})
    groups = CONTENT.rule_groups()
    done = await publish(session, place, lambda: {"groups": groups})
    assert (done.result, done.message) == ("created", "")
    made = await stored(kube_api, place)
    assert made["apiVersion"] == f"{GROUP}/v1"
    assert made["spec"]["groups"] == groups
    assert made["metadata"]["labels"] == {"release": "prom", "app.kubernetes.io/managed-by": "foresail"}
    assert (await publish(session, place, lambda: {"groups": groups})).result == "unchanged"

    await change(kube_api, place, {"spec": {"groups": [{"name": groups[0]["name"], "rules": []}]}})
    kept = await publish(session, place, lambda: {"groups": groups})
    assert kept.result == "kept"
    assert "kubectl-edit" in kept.message
    assert (await stored(kube_api, place))["spec"]["groups"][0]["rules"] == []
    assert (await publish(session, place, lambda: {"groups": groups}, force=True)).result == "updated"
    assert (await stored(kube_api, place))["spec"]["groups"] == groups
    assert (await publish(session, place, lambda: {"groups": groups})).result == "unchanged"


async def test_an_object_of_somebody_else_is_left_alone(
    kube_api: KubeApi, namespace: str, session: KubernetesSession
) -> None:
    place = rules_place(namespace, {})
    async with kube_api.client() as api:
        body = {"metadata": {"name": place.name}, "data": {"mine": "1"}}
        await request(api, "POST", place.resource.path(namespace), body)

    done = await publish(session, place, CONTENT.rule_files)
    assert done.result == "kept"
    assert "--force takes it over" in done.message
    assert (await stored(kube_api, place))["data"] == {"mine": "1"}


async def test_without_rights_namespace_or_operator_the_mend_is_told(
    kube_api: KubeApi, namespace: str, session: KubernetesSession, tmp_path: Path
) -> None:
    stranger = await kube_api.service_account(namespace, "stranger", [])
    async with await connect(kubeconfig=kube_api.kubeconfig_for(stranger.token, tmp_path)) as without:
        refused = await publish(without, dashboards_place(namespace), CONTENT.compact_dashboards)
    assert refused.result == "rejected"
    assert "cannot get resource" in refused.message
    elsewhere = await publish(session, rules_place("default", {}), CONTENT.rule_files)
    assert elsewhere.result == "rejected"
    async with await connect(kubeconfig=kube_api.kubeconfig) as admin:
        nowhere = await publish(admin, rules_place("no-such-namespace", {}), CONTENT.rule_files)
        assert nowhere.result == "rejected"
        assert "does the namespace exist" in nowhere.message
        too_large = await publish(admin, rules_place(namespace, {}), lambda: {"a": "x" * 1_000_001})
    assert too_large.result == "rejected"
    assert "publish files instead" in too_large.message


async def test_an_api_server_that_is_down_is_unavailable(
    kube_api: KubeApi, namespace: str, session: KubernetesSession
) -> None:
    kube_api.stop()
    try:
        done = await publish(session, rules_place(namespace, {}), CONTENT.rule_files)
    finally:
        kube_api.start()
    assert done.result == "unavailable"


async def test_a_real_prometheus_reloads_a_published_rule_file(prometheus: Prometheus, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    config = yaml.safe_load((prometheus.folder / "prometheus.yml").read_text())
    config["rule_files"] = [str(folder / "*.rules.yaml")]
    (prometheus.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    prometheus.reload()
    assert b'"groups":[]' in http_request("GET", f"{prometheus.url}/api/v1/rules", timeout_s=5)[1]

    async with HttpClient(HttpAccess(prometheus.url)) as client:
        published = PublishedFiles("rule_files", folder, CONTENT.rule_files, client)
        done = await published.publish()
        assert [each.result for each in done] == ["created"] * len(CONTENT.rule_files()) + ["updated"], done
        eventually(lambda: b"ForesailWatchdog" in http_request("GET", f"{prometheus.url}/api/v1/rules", timeout_s=5)[1])
        assert [each.result for each in await published.publish()] == ["unchanged"] * len(CONTENT.rule_files())

        broken = PublishedFiles("rule_files", folder, lambda: {"foresail.rules.yaml": "groups: 1"}, client)
        told = (await broken.publish())[-1]
    assert told.result == "rejected"
    assert "failed to reload" in told.message.lower()

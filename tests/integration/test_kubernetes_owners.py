"""Who else scales an object, what pauses it, and what stops everything, as a real API server shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.adapters.kubernetes import ClusterSettings, KillSwitchPlace
from tests.integration.servers.kube_client import MERGE, Document, collection
from tests.integration.servers.kubernetes import create_deployment, deployment
from tests.integration.watched_cluster import MAY_WATCH, change, rule, send, watching, web

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi

APPLY = "application/apply-patch+yaml"


def hpa(target: str, group: str = "apps/v1") -> Document:
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler"},
        "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": group, "kind": "Deployment", "name": target}},
    }


@pytest.mark.parametrize(
    "group", [pytest.param("apps/v1", id="as-apps"), pytest.param("extensions/v1beta1", id="as-extensions-of-old")]
)
async def test_an_hpa_owns_what_it_scales_until_it_is_deleted(kube_api: KubeApi, namespace: str, group: str) -> None:
    await create_deployment(kube_api, namespace, "web")
    await create_deployment(kube_api, namespace, "other")
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    ref, other = web(namespace), web(namespace, "other")
    async with watching(kube_api.kubeconfig, [ref, other]) as seen:
        assert seen.target(ref).owner is None
        await send(kube_api, "POST", path, hpa("web", group))

        view = await seen.sees(ref, lambda view: view.owner)
        assert view.owner == (
            f"HorizontalPodAutoscaler {namespace}/scaler scales this object; delete it, or set spec.mode to floor and"
            " add Foresail's metric to it"
        )
        assert seen.target(other).owner is None
        await send(kube_api, "PATCH", f"{path}/scaler", {"spec": {"scaleTargetRef": {"name": "other"}}}, MERGE)
        await seen.sees(other, lambda view: view.owner)
        assert seen.target(ref).owner is None
        await send(kube_api, "DELETE", f"{path}/scaler")
        await seen.sees(other, lambda view: view.owner is None)


async def test_a_controller_owns_what_it_made(kube_api: KubeApi, namespace: str) -> None:
    manifest = deployment("web")
    owner = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "llm", "uid": "u-1"}
    manifest["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    await send(kube_api, "POST", collection(namespace, "deployments"), manifest)
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        owned = seen.target(ref).owner or ""
        assert owned.startswith(f"InferenceService {namespace}/llm (serving.kserve.io/v1beta1) controls this object")
        await change(kube_api, ref, {"metadata": {"ownerReferences": [owner]}})
        await seen.sees(ref, lambda view: view.owner is None)


@pytest.mark.parametrize(
    ("manager", "owner"),
    [
        pytest.param("argocd-controller", "Argo CD (field manager argocd-controller) owns spec.replicas", id="argo-cd"),
        pytest.param("kustomize-controller", "Flux (field manager kustomize-controller) owns", id="flux"),
        pytest.param("kubectl", None, id="kubectl"),
        pytest.param("foresail", None, id="foresail"),
    ],
)
async def test_a_gitops_tool_owns_the_replicas_that_it_applies(
    kube_api: KubeApi, namespace: str, manager: str, owner: str | None
) -> None:
    manifest = {"apiVersion": "apps/v1", **deployment("web", replicas=3)}
    path = f"{collection(namespace, 'deployments')}/web?fieldManager={manager}&force=true"
    await send(kube_api, "PATCH", path, manifest, APPLY)
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        owned = seen.target(ref).owner
        assert (owned or "").startswith(owner or "")
        assert (owned is None) == (owner is None)
        assert "ignoreDifferences" in (owned or "") or manager != "argocd-controller"
        # The way out: a manifest without replicas gives up the field.
        del manifest["spec"]["replicas"]
        await send(kube_api, "PATCH", path, manifest, APPLY)
        await seen.sees(ref, lambda view: view.owner is None)


async def test_who_may_not_read_autoscalers_owns_nothing_for_sure(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    await create_deployment(kube_api, namespace, "web")
    account = await kube_api.service_account(namespace, "watcher", [rule("apps", "deployments"), rule("", "pods")])
    ref = web(namespace)
    async with watching(kube_api.kubeconfig_for(account.token, tmp_path), [ref]) as seen:
        view = seen.target(ref)
        assert view.problem is None
        assert (view.owner or "").startswith("nobody knows whether an autoscaler scales this object")
        assert "grant it get, list and watch" in (view.owner or "")
        assert seen.cluster.problems()[0].startswith(f"horizontalpodautoscalers in {namespace}: Foresail may not read")


async def test_the_annotation_pauses_a_target(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web")
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        assert not seen.target(ref).paused
        await change(kube_api, ref, {"metadata": {"annotations": {"foresail.dev/paused": "true"}}})
        await seen.sees(ref, lambda view: view.paused)
        await change(kube_api, ref, {"metadata": {"annotations": {"foresail.dev/paused": None}}})
        await seen.sees(ref, lambda view: not view.paused)


async def test_the_kill_switch_is_a_config_map_or_a_file(kube_api: KubeApi, namespace: str, tmp_path: Path) -> None:
    place = KillSwitchPlace(namespace=namespace, file=tmp_path / "stop")
    maps = collection(namespace, "configmaps")
    async with watching(kube_api.kubeconfig, [], ClusterSettings(place)) as seen:
        assert seen.cluster.view().killed is None
        assert seen.cluster.problems() == ()
        on = {"metadata": {"name": "foresail-kill-switch"}, "data": {"enabled": "true"}}
        await send(kube_api, "POST", maps, on)
        await seen.shows(lambda: seen.cluster.view().killed)
        assert seen.cluster.view().killed == f"ConfigMap {namespace}/foresail-kill-switch says enabled"
        await send(kube_api, "PATCH", f"{maps}/foresail-kill-switch", {"data": {"enabled": "false"}}, MERGE)
        await seen.shows(lambda: seen.cluster.view().killed is None)

        (tmp_path / "stop").touch()
        assert seen.cluster.view().killed == f"the file {tmp_path / 'stop'} exists"


async def test_a_kill_switch_that_may_not_be_read_is_off_and_told(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH)
    settings = ClusterSettings(KillSwitchPlace(namespace=namespace))
    async with watching(kube_api.kubeconfig_for(account.token, tmp_path), [web(namespace)], settings) as seen:
        assert seen.cluster.view().killed is None
        assert seen.cluster.problems()[0].startswith(f"configmaps in {namespace}: Foresail may not read them")
        assert seen.target(web(namespace)).problem == f"Deployment {namespace}/web does not exist"

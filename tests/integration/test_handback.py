"""`foresail handback` on a real API server: bounds are kept, the daemon lets go, and it can be taken over again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.integration.servers.kube_client import Document, collection
from tests.integration.servers.process import eventually
from tests.integration.watched_cluster import rule, send

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

HPA = "autoscaling/v2beta2"  # the newest that this server has, of the same form as v2
FORESAIL = str(Path(sys.executable).with_name("foresail"))


def handback(stage: Stage, *flags: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
    access = (f"--policies={stage.policy_file}", f"--kubeconfig={kubeconfig or stage.kube_api.kubeconfig}")
    return foresail("handback", *flags, *access)


def takeover(stage: Stage, *flags: str) -> subprocess.CompletedProcess[str]:
    access = (f"--policies={stage.policy_file}", f"--kubeconfig={stage.kube_api.kubeconfig}")
    return foresail("takeover", *flags, *access)


def foresail(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FORESAIL, *arguments], capture_output=True, text=True, check=False, timeout=60)


def outcomes(told: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {each["workload"]: each["outcome"] for each in json.loads(told.stdout)["items"]}


async def hpas(stage: Stage) -> list[Document]:
    found = await send(stage.kube_api, "GET", path(stage))
    items: list[Document] = found["items"]
    return items


def path(stage: Stage) -> str:
    return f"/apis/{HPA}/namespaces/{stage.namespace}/horizontalpodautoscalers"


async def annotated(stage: Stage) -> dict[str, str]:
    found = await send(stage.kube_api, "GET", f"{collection(stage.namespace, 'deployments')}/web")
    told: dict[str, str] = found["metadata"].get("annotations") or {}
    return told


async def test_the_daemon_lets_go_and_takes_over_again(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        told = handback(stage, "--all", "-o", "json")
        assert told.returncode == 0, told.stderr
        assert outcomes(told) == {f"{stage.namespace}/web": "handed-back"}
        assert "cannot read the signals" in told.stderr
        [hpa] = await hpas(stage)
        bounds = yaml.safe_load(stage.policy_file.read_text())["spec"]["replicas"]
        assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (bounds["min"], bounds["max"])
        assert hpa["spec"]["scaleTargetRef"]["name"] == "web"
        assert (await annotated(stage))["foresail.dev/paused"] == "handed-back"

        stage.shows(lambda shown: shown["owner"])
        stage.load(14)
        ticks = daemon.ticks()
        eventually(lambda: daemon.ticks() > ticks + 6, 30)
        assert await stage.replicas() == 5, "nobody but the HPA lowers it now"

        assert outcomes(handback(stage, "--all", "-o", "json")) == {f"{stage.namespace}/web": "unchanged"}
        undone = handback(stage, f"{stage.namespace}/web", "--undo", "-o", "json")
        assert outcomes(undone) == {f"{stage.namespace}/web": "taken-over"}
        assert await hpas(stage) == []
        assert "foresail.dev/paused" not in await annotated(stage)
        await stage.scaled(2)


async def test_what_is_scaled_already_is_left_to_it(stage: Stage) -> None:
    spec = {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    theirs = {
        "apiVersion": HPA,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "theirs"},
        "spec": spec,
    }
    await send(stage.kube_api, "POST", path(stage), theirs)
    told = handback(stage, "--all", "-o", "json")
    assert outcomes(told) == {f"{stage.namespace}/web": "scaled-already"}
    assert "theirs" in json.loads(told.stdout)["items"][0]["message"]
    assert [each["metadata"]["name"] for each in await hpas(stage)] == ["theirs"]
    assert await annotated(stage) == {}
    undone = handback(stage, "--all", "--undo", "-o", "json")
    assert outcomes(undone) == {f"{stage.namespace}/web": "unchanged"}
    assert [each["metadata"]["name"] for each in await hpas(stage)] == ["theirs"]


async def test_from_an_hpa_to_the_daemon_and_back_to_the_hpa_as_it_was(stage: Stage) -> None:
    aim = {"type": "Utilization", "averageUtilization": 65}
    spec = {
        "minReplicas": 2,
        "maxReplicas": 7,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": aim}}],
    }
    metadata = {"name": "theirs", "labels": {"team": "shop"}}
    made = await send(
        stage.kube_api,
        "POST",
        path(stage),
        {"apiVersion": HPA, "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec},
    )
    with stage.daemon as daemon:
        stage.load(35)
        stage.shows(lambda shown: shown["hold"] == "owned")
        ready = foresail("ready", f"{stage.namespace}/web", f"--url={daemon.url}", "-o", "json")
        [step] = json.loads(ready.stdout)["steps"]
        assert {each["name"]: each["ok"] for each in step["criteria"]}["owner"] is False
        taken = takeover(stage, "--all", f"--url={daemon.url}", "-o", "json")
        assert outcomes(taken) == {f"{stage.namespace}/web": "taken-over"}, taken.stderr
        assert await hpas(stage) == []
        await stage.scaled(5)

        back = handback(stage, "--all", "-o", "json")
        assert outcomes(back) == {f"{stage.namespace}/web": "handed-back"}, back.stderr
        [hpa] = await hpas(stage)
        assert (hpa["metadata"]["name"], hpa["metadata"]["labels"]) == ("theirs", {"team": "shop"})
        assert hpa["spec"] == made["spec"]
        assert "foresail.dev/taken-over" not in await annotated(stage)
        assert await stage.replicas() == 5


async def test_what_the_daemon_does_not_scale_is_not_taken_over(stage: Stage) -> None:
    stage.policy_file.write_text(stage.policy_file.read_text().replace("mode: active", "mode: shadow"))
    with stage.daemon as daemon:
        stage.shows(lambda shown: shown["mode"] == "shadow")
        told = takeover(stage, "--all", f"--url={daemon.url}")
    assert told.returncode == 1
    assert f"{stage.namespace}/web in mode shadow: nothing was taken over" in told.stderr


async def test_a_pause_of_the_users_own_stays(stage: Stage) -> None:
    pause = {"metadata": {"annotations": {"foresail.dev/paused": "by hand"}}}
    target = f"{collection(stage.namespace, 'deployments')}/web"
    await send(stage.kube_api, "PATCH", target, pause, "application/merge-patch+json")
    assert outcomes(handback(stage, "--all", "-o", "json")) == {f"{stage.namespace}/web": "handed-back"}
    assert (await annotated(stage))["foresail.dev/paused"] == "by hand"
    assert outcomes(handback(stage, "--all", "--undo", "-o", "json")) == {f"{stage.namespace}/web": "taken-over"}
    assert (await annotated(stage))["foresail.dev/paused"] == "by hand"
    assert await hpas(stage) == []


async def test_without_the_right_to_make_an_hpa_it_says_what_was_left(stage: Stage) -> None:
    may = [
        rule("apps", "deployments", "get", "patch"),
        rule("autoscaling", "horizontalpodautoscalers", "list"),
    ]
    account = await stage.kube_api.service_account(stage.namespace, "on-call", may)
    kubeconfig = stage.kube_api.kubeconfig_for(account.token, stage.folder)
    told = handback(stage, "--all", "-o", "json", kubeconfig=kubeconfig)
    assert told.returncode == 1
    message = json.loads(told.stdout)["items"][0]["message"]
    assert "was not made" in message
    assert "forbidden" in message
    assert "Foresail is paused on it" in message


async def test_dry_run_prints_what_kubectl_would_apply(stage: Stage) -> None:
    told = handback(stage, "--all", "--dry-run")
    assert told.returncode == 0
    made = list(yaml.safe_load_all(told.stdout))
    assert [each["kind"] for each in made] == ["HorizontalPodAutoscaler"]
    await send(stage.kube_api, "POST", path(stage), {**made[0], "apiVersion": HPA})
    assert [each["metadata"]["name"] for each in await hpas(stage)] == ["web-handback"]
    assert await annotated(stage) == {}


async def test_a_policy_with_a_fault_keeps_none_of_the_others_back(stage: Stage) -> None:
    text = stage.policy_file.read_text()
    stage.policy_file.with_name("bad.yaml").write_text(text.replace("kind: Deployment", "kind: 7"))
    told = handback(stage, "--all", "-o", "json", f"--policies={stage.policy_file.with_name('bad.yaml')}")
    assert told.returncode == 4, told.stderr
    assert outcomes(told) == {f"{stage.namespace}/web": "handed-back"}
    assert "bad.yaml" in told.stderr

"""`foresail doctor` on a real Prometheus and a real API server: set-ups that are broken as users have broken them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.servers.kube_client import MERGE, collection
from tests.integration.servers.process import eventually
from tests.integration.servers.vertical_crds import install
from tests.integration.watched_cluster import change, send, web

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

FORESAIL = str(Path(sys.executable).with_name("foresail"))
LOAD_OF_WEB = {"name": "load", "kind": "demand", "query": "no_such_metric", "capacityPerReplica": 10}
BY_CPU = {"name": "cpu", "kind": "demand", "query": "cpu", "capacityFromRequest": {"resource": "cpu"}}
HPAS = "/apis/autoscaling/v1/namespaces/{}/horizontalpodautoscalers"


class Report:
    """What the doctor said, by severity."""

    def __init__(self, told: subprocess.CompletedProcess[str]) -> None:
        self.exit_code = told.returncode
        assert told.returncode in (0, 3), told.stderr
        self.items: list[dict[str, str]] = json.loads(told.stdout)["items"]

    def one(self, severity: str, check: str, words: str) -> dict[str, str]:
        """The finding with these words, which names its meaning and a mend."""
        found = [each for each in self.items if (each["severity"], each["check"]) == (severity, check)]
        told = [each for each in found if words in f"{each['about']}: {each['message']}"]
        assert told, self.items
        one = told[0]
        assert one["means"]
        assert one["mend"]
        return one

    def errors(self) -> list[str]:
        return [f"{each['check']}: {each['message']}" for each in self.items if each["severity"] == "error"]


def doctor(stage: Stage, *flags: str, kubeconfig: Path | None = None) -> Report:
    given = {
        "policies": stage.policy_file,
        "prometheus-url": stage.prometheus.url,
        "kubeconfig": kubeconfig or stage.kubeconfig,
        "namespace": stage.namespace,
        "journal-url": f"sqlite+aiosqlite:///{stage.folder / 'journal.db'}",
        "url": "http://127.0.0.1:9",
    }
    argv = [FORESAIL, "doctor", "-o", "json", *(f"--{name}={value}" for name, value in given.items()), *flags]
    return Report(subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120))


async def test_a_sound_installation_has_no_error(stage: Stage) -> None:
    with stage.daemon as daemon:
        eventually(lambda: daemon.ticks() >= 1)
        journal = f"--journal-url=sqlite+aiosqlite:///{stage.folder / 'daemon' / 'foresail.db'}"
        found = doctor(stage, f"--url={daemon.url}", journal)
    assert found.errors() == []
    assert found.exit_code == 0
    told = {(each["check"], each["severity"]) for each in found.items}
    whole = (
        "prometheus",
        "kubernetes",
        "policies",
        "targets",
        "permissions",
        "signals",
        "daemon",
        "packages",
        "clocks",
    )
    assert {(each, "ok") for each in whole} <= told


async def test_a_metric_that_was_renamed_is_named(stage: Stage) -> None:
    stage.policy(signals=[LOAD_OF_WEB])
    found = doctor(stage)
    assert found.exit_code == 3
    finding = found.one("error", "signals", "signal load: no series answers")
    assert finding["about"] == f"{stage.namespace}/web"
    assert "exporter is scraped" in finding["mend"]


async def test_a_preset_that_nothing_is_read_from_names_what_was_tried(stage: Stage) -> None:
    """The pods are not scraped, or their series carry other labels: the preset finds nothing."""
    stage.policy(signals=[{"preset": "vllm/kv-cache", "target": {"value": 0.8}}])
    tried = "vllm/kv-cache has none of vllm:kv_cache_usage_perc, "
    assert "under the labels in match" in doctor(stage).one("error", "signals", tried)["message"]


async def test_labels_of_a_preset_that_the_scrape_overwrote(stage: Stage) -> None:
    stage.policy(signals=[LOAD_OF_WEB, {"preset": "gpu/memory", "target": {"averageValue": "1G"}}])
    stage.exporter.set("DCGM_FI_DEV_FB_USED", 5, exported_namespace=stage.namespace, exported_pod="web-1")
    try:
        eventually(lambda: stage.prometheus.value("DCGM_FI_DEV_FB_USED") == 5)
        assert "honor_labels" in doctor(stage).one("warning", "signals", "DCGM_FI_DEV_FB_USED: has its labels")["mend"]
    finally:
        stage.exporter.remove("DCGM_FI_DEV_FB_USED", exported_namespace=stage.namespace, exported_pod="web-1")


async def test_a_dashboard_that_a_person_changed_and_a_rule_file_that_is_gone(stage: Stage, tmp_path: Path) -> None:
    argv = [FORESAIL, "dashboards", "publish", "--out", str(tmp_path)]
    subprocess.run(argv, capture_output=True, check=True, timeout=120)  # noqa: ASYNC221 - nothing else runs here
    (tmp_path / "foresail-fleet.json").write_text("{}")
    found = doctor(stage, f"--publish-dir={tmp_path}")
    assert "--force" in found.one("warning", "published", "dashboard_files, foresail-fleet.json: is not as")["mend"]
    found.one("warning", "published", "rule_files, foresail.rules.yaml: is not there")


async def test_a_query_that_prometheus_refuses_is_told_in_its_words(stage: Stage) -> None:
    stage.policy(query="sum(")
    assert "parse error" in doctor(stage).one("error", "signals", "Prometheus refuses the query")["message"]


async def test_a_prometheus_that_is_away_is_one_finding_and_the_rest_is_looked_at(stage: Stage) -> None:
    found = doctor(stage, "--prometheus-url=http://127.0.0.1:9")
    assert "--prometheus-url" in found.one("error", "prometheus", "does not answer")["mend"]
    assert any(each["check"] == "permissions" and each["severity"] == "ok" for each in found.items)


async def test_two_autoscalers_on_one_object(stage: Stage) -> None:
    spec = {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    hpa = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "old"}, "spec": spec}
    await send(stage.kube_api, "POST", HPAS.format(stage.namespace), hpa)
    finding = doctor(stage).one("error", "targets", "HorizontalPodAutoscaler")
    assert "fight" in finding["means"]
    assert finding["mend"].startswith("Delete it, or set spec.mode to floor")


async def test_replicas_in_git(stage: Stage) -> None:
    owned = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": stage.namespace},
        "spec": {"replicas": 2},
    }
    place = f"{collection(stage.namespace, 'deployments')}/web?fieldManager=argocd-controller&force=true"
    await send(stage.kube_api, "PATCH", place, owned, "application/apply-patch+yaml")
    assert "ignoreDifferences" in doctor(stage).one("error", "targets", "Argo CD")["mend"]


async def test_floor_without_anybody_to_follow(stage: Stage) -> None:
    stage.policy(mode="floor")
    assert "foresail policy floor" in doctor(stage).one("error", "targets", "no autoscaler scales")["mend"]


async def test_a_vertical_autoscaler_that_moves_the_request_which_counts(stage: Stage) -> None:
    await install(stage.kube_api)
    vpas = f"/apis/autoscaling.k8s.io/v1/namespaces/{stage.namespace}/verticalpodautoscalers"
    vpa = {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": "sizes"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }
    await send(stage.kube_api, "POST", vpas, vpa)
    stage.policy(signals=[BY_CPU])
    try:
        assert "swing" in doctor(stage).one("error", "vertical", "VerticalPodAutoscaler sizes")["means"]
        off = {"spec": {"updatePolicy": {"updateMode": "Off"}}}
        await send(stage.kube_api, "PATCH", f"{vpas}/sizes", off, MERGE)
        assert not any(each["check"] == "vertical" for each in doctor(stage).items)
    finally:
        await send(stage.kube_api, "DELETE", vpas)


async def test_a_target_that_is_not_there(stage: Stage) -> None:
    stage.policy(target={"apiVersion": "apps/v1", "kind": "Deployment", "name": "wbe"})
    assert "spec.target" in doctor(stage).one("error", "targets", "Deployment wbe")["mend"]


async def test_a_pause_that_was_forgotten_and_a_kill_switch(stage: Stage) -> None:
    await change(stage.kube_api, web(stage.namespace), {"metadata": {"annotations": {"foresail.dev/paused": "true"}}})
    switch = {"metadata": {"name": "foresail-kill-switch"}, "data": {"enabled": "true"}}
    await send(stage.kube_api, "POST", collection(stage.namespace, "configmaps"), switch)
    found = doctor(stage)
    assert "foresail.dev/paused-" in found.one("warning", "targets", "is paused")["mend"]
    found.one("warning", "targets", "kill switch: is on")


async def test_an_account_that_may_not_write_the_scale(stage: Stage) -> None:
    lame = await stage.kube_api.service_account(stage.namespace, "lame", [])
    found = doctor(stage, kubeconfig=stage.kube_api.kubeconfig_for(lame.token, stage.folder))
    assert "deploy/rbac.yaml" in found.one("error", "permissions", "may not patch deployments/scale.apps")["mend"]
    found.one("warning", "permissions", "may not create events")
    user = f"system:serviceaccount:{stage.namespace}:lame"
    asked = doctor(stage, f"--as={user}", kubeconfig=stage.kube_api.kubeconfig)
    assert asked.one("error", "permissions", "may not patch deployments/scale.apps")["about"] == user
    whole = doctor(
        stage, f"--as=system:serviceaccount:{stage.namespace}:foresail", kubeconfig=stage.kube_api.kubeconfig
    )
    assert not any(each["check"] == "permissions" and each["severity"] != "ok" for each in whole.items)


async def test_labels_that_the_scrape_overwrote_and_rules_that_nobody_loaded(stage: Stage) -> None:
    stage.exporter.set("foresail_build_info", 1, version="0")
    stage.exporter.set("foresail_recommended_replicas", 2, exported_namespace="shop")
    try:
        eventually(lambda: stage.prometheus.value("foresail_recommended_replicas") == 2)
        found = doctor(stage)
        assert "honor_labels" in found.one("error", "prometheus", "exported_namespace")["mend"]
        found.one("warning", "rules", "none of Foresail's rules is loaded")
        found.one("warning", "rules", "Prometheus knows none")
    finally:
        stage.exporter.remove("foresail_build_info", version="0")
        stage.exporter.remove("foresail_recommended_replicas", exported_namespace="shop")


async def test_utilisation_of_gpus_and_a_policy_with_a_fault(stage: Stage) -> None:
    stage.policy(query="DCGM_FI_DEV_GPU_UTIL")
    assert "a kernel ran" in doctor(stage).one("warning", "policies", "DCGM_FI_DEV_GPU_UTIL")["message"]
    stage.policy_file.write_text(stage.policy_file.read_text().replace("max: 30", "max: 0"))
    assert "policy validate" in doctor(stage).one("error", "policies", "spec.replicas")["mend"]


@pytest.mark.parametrize("output", ["table", "yaml"])
async def test_people_read_it_too(stage: Stage, output: str) -> None:
    argv = [FORESAIL, "doctor", "-o", output, f"--policies={stage.policy_file}", f"--kubeconfig={stage.kubeconfig}"]
    told = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [*argv, f"--prometheus-url={stage.prometheus.url}"], capture_output=True, text=True, check=False, timeout=120
    )
    assert "daemon" in told.stdout
    assert told.stderr == ""

"""The rendered rules on a real Prometheus with a real Alertmanager: one alert of each group reaches a webhook."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from alerts.catalogue import FILES, alerts, files, inhibitions
from alerts.costs import ACTIVE_COST
from alerts.rule import Alert, Links
from tests.integration.servers.alertmanager import PACKAGE, Alertmanager, Webhook
from tests.integration.servers.exporter import Exporter
from tests.integration.servers.process import eventually, find_program
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.prometheus import Prometheus

LINKS = Links(
    runbooks="https://example.org/runbooks", grafana="https://grafana.example.org", labels={"team": "serving"}
)
CHAT = {"cluster": "a", "namespace": "shop", "workload": "chat"}
GPU = {"cluster": "a", "node": "n1", "gpu": "0"}
WAIT_S = 60


@dataclass(frozen=True, slots=True)
class Sent:
    """An alert of a group, the samples that make it fire, and the labels that it then has."""

    alert: str
    samples: tuple[tuple[str, dict[str, str], float], ...]
    labels: dict[str, str]


# One of each group that has alerts.
SENT = {
    "foresail-health": Sent(
        "ForesailSafeModeActive",
        (("foresail_safe_mode", {"cluster": "a", "reason": "kill_switch"}, 1.0),),
        {"cluster": "a", "reason": "kill_switch"},
    ),
    "foresail-workloads": Sent(
        "ForesailMaxedOut",
        (
            ("foresail_desired_replicas", CHAT, 8.0),
            ("foresail_max_replicas", CHAT, 8.0),
            ("foresail_min_replicas", CHAT, 2.0),
        ),
        CHAT,
    ),
    # A tenth of the load is late. Of an SLO of 99.9 % over 30 days (0.001 times 720 hours), 1.44 % uses 2 % in an hour.
    "foresail-burn": Sent(
        "ForesailErrorBudgetBurnFast",
        (
            ("namespace_workload:slo_budget:hours", CHAT, 0.72),
            ("namespace_workload:slo_late:ratio", CHAT, 0.1),
            ("namespace_workload:slo_load", CHAT, 50.0),
        ),
        CHAT,
    ),
    "foresail-costs": Sent("ForesailBudgetBinds", (("foresail_budget_withheld_replicas", CHAT, 2.0),), CHAT),
    # The former autoscaler would cost 20, a saving of 8 is promised, and 18 were paid, which `_paid` tells.
    "foresail-savings": Sent(
        "ForesailSavingsBelowPromise",
        (
            ("foresail_candidate_replicas", {**CHAT, "candidate": "incumbent"}, 10.0),
            ("foresail_price_usd_per_replica_hour", {**CHAT, "capacity_type": "any"}, 2.0),
            ("foresail_savings_usd_per_hour", {**CHAT, "against": "incumbent"}, 8.0),
            ("foresail_tournament_evidence_ratio", CHAT, 1.0),
        ),
        CHAT,
    ),
    "foresail-gpus": Sent(
        "ForesailGPULost", (("foresail_gpu_up", {**GPU, "reason": "lost"}, 0.0),), {**GPU, "reason": "lost"}
    ),
}


def test_every_group_with_alerts_has_one_that_is_sent() -> None:
    groups = {
        group.name: {rule.name for rule in group.rules if isinstance(rule, Alert)}
        for contents in FILES.values()
        for group in contents
    }
    assert {name for name, of_group in groups.items() if of_group} == set(SENT)
    assert [name for name, sent in SENT.items() if sent.alert not in groups[name]] == []


@pytest.mark.server("alertmanager")
def test_one_alert_of_each_group_reaches_a_webhook_with_its_links(prometheus: Prometheus, tmp_path: Path) -> None:
    prometheus.backfill([_paid()])
    with Exporter() as exporter, Webhook() as webhook, Alertmanager(tmp_path, webhook.url, ()) as alertmanager:
        for sent in SENT.values():
            for name, labels, value in sent.samples:
                exporter.set(name, value, kind="gauge", **labels)
        _evaluate(prometheus, alertmanager, exporter, tmp_path)
        for alert in ("ForesailWatchdog", *(sent.alert for sent in SENT.values())):
            eventually(partial(webhook.told, alert), WAIT_S, what=f"{alert} at the webhook")
    severities = {alert.name: str(alert.severity) for alert in alerts()}
    for sent in SENT.values():
        (told,) = webhook.told(sent.alert)
        expected = {"alertname": sent.alert, "severity": severities[sent.alert], "team": "serving", **sent.labels}
        assert told["labels"] == expected
        annotations = told["annotations"]
        assert annotations["runbook_url"] == f"https://example.org/runbooks/{sent.alert.lower()}.md"
        assert annotations["dashboard_url"].startswith("https://grafana.example.org/d/foresail-")
        assert "var-cluster=a" in annotations["dashboard_url"]
    (maxed_out,) = webhook.told("ForesailMaxedOut")
    assert maxed_out["annotations"]["description"].startswith("shop/chat asks for 8 replicas")
    assert maxed_out["annotations"]["dashboard_url"].endswith("?var-cluster=a&var-namespace=shop&var-workload=chat")


@pytest.mark.server("alertmanager")
def test_what_follows_from_another_alert_is_not_told(prometheus: Prometheus, tmp_path: Path) -> None:
    """Two GPUs are hot; the clocks of one are held down for it, which says it all."""
    rules = yaml.safe_load(inhibitions())["inhibit_rules"]
    with Exporter() as exporter, Webhook() as webhook, Alertmanager(tmp_path, webhook.url, rules) as alertmanager:
        for gpu in ("0", "1"):
            exporter.set("foresail_gpu_temperature_celsius", 90.0, kind="gauge", **{**GPU, "gpu": gpu, "sensor": "gpu"})
        exporter.set("foresail_gpu_clock_throttled", 1.0, kind="gauge", **{**GPU, "reason": "thermal"})
        _evaluate(prometheus, alertmanager, exporter, tmp_path)
        eventually(lambda: webhook.told("ForesailGPUThermalThrottling", gpu="0"), WAIT_S, what="the cause")
        eventually(lambda: webhook.told("ForesailGPUHot", gpu="1"), WAIT_S, what="the other GPU's own alert")
        assert alertmanager.inhibited("ForesailGPUHot", gpu="0") is True
        assert alertmanager.inhibited("ForesailGPUHot", gpu="1") is False
        assert webhook.told("ForesailGPUHot", gpu="0") == []


@pytest.mark.server("alertmanager")
def test_the_rules_of_inhibition_are_valid_by_amtool(tmp_path: Path) -> None:
    rules = yaml.safe_load(inhibitions())["inhibit_rules"]
    config = Alertmanager(tmp_path, "http://127.0.0.1:1/", rules).config
    argv = [find_program("amtool", package=PACKAGE), "check-config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f" - {len(rules)} inhibit rules" in done.stdout


def _evaluate(prometheus: Prometheus, alertmanager: Alertmanager, exporter: Exporter, folder: Path) -> None:
    path = folder / "foresail.rules.yaml"
    path.write_text(_at_once(files(LINKS)[path.name]))
    prometheus.alert(path, alertmanager.address)
    prometheus.scrape(exporter.address)


def _at_once(text: str) -> str:
    """The rules, changed in two things alone: no alert waits (`for`), and no group has an interval of its own."""
    document: dict[str, Any] = yaml.safe_load(text)
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(document)


def _paid() -> Series:
    """What chat cost in four days, as the recording has it, until three hours ago."""
    end_s = time.time() - 3 * 3600
    at_s = [end_s - 900.0 * back for back in range(4 * 96, 0, -1)]
    return Series(ACTIVE_COST.record, CHAT, at_s, [18.0] * len(at_s))

"""The rendered rules on a real Prometheus: what fires reaches a real Alertmanager, with its runbook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alerts.catalogue import files
from tests.integration.servers.process import (
    Launch,
    ServerProcess,
    eventually,
    find_program,
    free_port,
    http_ok,
    http_request,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.prometheus import Prometheus

CONFIG = """
route: {receiver: nobody}
receivers: [{name: nobody}]
"""


@pytest.mark.server("alertmanager")
def test_the_watchdog_reaches_alertmanager_with_its_runbook(prometheus: Prometheus, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config, rules = tmp_path / "alertmanager.yml", tmp_path / "foresail.rules.yaml"
    config.write_text(CONFIG)
    rules.write_text(files()["foresail.rules.yaml"])
    argv = [
        find_program("prometheus-alertmanager", package="prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]

    def alerts() -> dict[str, Any]:
        status, body = http_request("GET", f"{url}/api/v2/alerts", timeout_s=5)
        assert status == 200, body
        return {alert["labels"]["alertname"]: alert for alert in json.loads(body)}

    launch = Launch("alertmanager", argv, tmp_path, ready=lambda: http_ok(f"{url}/-/ready"))
    with ServerProcess(launch):
        prometheus.alert(rules, f"127.0.0.1:{port}")
        eventually(lambda: "ForesailWatchdog" in alerts(), 60, what="the watchdog at Alertmanager")
        watchdog = alerts()["ForesailWatchdog"]
    assert watchdog["labels"]["severity"] == "none"
    assert watchdog["annotations"]["runbook_url"] == "docs/runbooks/foresailwatchdog.md"

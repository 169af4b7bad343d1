"""What the doctor says of rules that a real Prometheus has loaded: it lays out their queries in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from controller.clients.http import HttpAccess
from controller.doctor.finding import Severity
from controller.doctor.prometheus import examine_prometheus
from controller.publish import Content
from tests.integration.servers.process import eventually, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.prometheus import Prometheus


async def messages(prometheus: Prometheus) -> list[str]:
    """Of all that is not well with the rules, and of the rules themselves."""
    found = await examine_prometheus(HttpAccess(prometheus.url), Content().rule_groups())
    return [each.message for each in found if each.check == "rules" and each.about == "rules"]


def load(prometheus: Prometheus, file: Path, groups: list[dict[str, Any]], marker: str) -> None:
    file.write_text(yaml.safe_dump({"groups": groups}))
    prometheus.alert(file, "127.0.0.1:9")
    eventually(lambda: marker in http_request("GET", f"{prometheus.url}/api/v1/rules", timeout_s=5)[1].decode())


async def test_rules_as_rendered_are_known_as_such_and_every_change_is_told(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    groups, file = Content().rule_groups(), tmp_path / "foresail.rules.yaml"
    load(prometheus, file, groups, "ForesailWatchdog")
    count = len({rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]})
    assert await messages(prometheus) == [f"all {count} are loaded as this version renders them"]

    waits = [rule for group in groups for rule in group["rules"] if "for" in rule]
    (older, shorter, gone), left_over = waits[:3], {"alert": "ForesailOfYesterday", "expr": "vector(1)"}
    older["expr"] = f"({older['expr']}) > 0.5"
    shorter["for"] = "1m"
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if rule is not gone]
    groups[0]["rules"].append(left_over)
    load(prometheus, file, groups, "ForesailOfYesterday")
    assert await messages(prometheus) == [
        f"1 of {count} are not loaded: {gone['alert']}",
        f"older or changed (2): {older['alert']}, {shorter['alert']}",
        "not of this version (1): ForesailOfYesterday",
    ]


async def test_no_rules_at_all(prometheus: Prometheus) -> None:
    found = await examine_prometheus(HttpAccess(prometheus.url), Content().rule_groups())
    assert [each.message for each in found if each.check == "rules" and each.severity is Severity.WARNING] == [
        "none of Foresail's rules is loaded",
        "Prometheus knows none",
    ]

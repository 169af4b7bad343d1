"""What there is to publish: the dashboards and the rule files, as the catalogues render them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from alerts import rules
from dashboards.catalogue import documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from controller.publish.links import Links

RULES_FILE = "foresail.rules.yaml"


def dashboard_files() -> dict[str, str]:
    """File name -> JSON text of every dashboard."""
    return {document.file: document.text for document in documents()}


def compact_dashboards() -> dict[str, str]:
    """The same without blanks: the form in which all of them fit in one ConfigMap."""
    return {
        document.file: json.dumps(document.body, sort_keys=True, separators=(",", ":")) for document in documents()
    }


def rule_files() -> dict[str, str]:
    """File name -> YAML text of every file of rules."""
    return {RULES_FILE: rules.render()}


def rule_groups(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The groups of rule files, in order: what a PrometheusRule holds."""
    return [group for text in files.values() for group in yaml.safe_load(text)["groups"]]

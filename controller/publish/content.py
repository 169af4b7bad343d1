"""What there is to publish: the dashboards and the rule files, as the catalogues render them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from alerts import catalogue as alert_catalogue
from alerts.rule import Links
from dashboards import catalogue as dashboard_catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboards.catalogue import Document
    from policies.spec import WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Content:
    """Dashboards and rules, with their links. Rendering takes some tenths of a second."""

    links: Links = field(default_factory=Links)
    policies: Sequence[WorkloadPolicy] = ()  # of which those with an SLO bring rules

    def dashboards(self) -> tuple[Document, ...]:
        """Every dashboard."""
        return dashboard_catalogue.documents(runbooks=self.links.runbooks)

    def dashboard_files(self) -> dict[str, str]:
        """File name -> JSON text."""
        return {document.file: document.text for document in self.dashboards()}

    def compact_dashboards(self) -> dict[str, str]:
        """File name -> JSON text without blanks: all of them fit in one ConfigMap so."""
        return {
            document.file: json.dumps(document.body, sort_keys=True, separators=(",", ":"))
            for document in self.dashboards()
        }

    def rule_files(self) -> dict[str, str]:
        """File name -> YAML text."""
        return alert_catalogue.files(self.links, self.policies)

    def alert_files(self) -> dict[str, str]:
        """Those, and what Alertmanager's configuration should have beside them."""
        return {**self.rule_files(), alert_catalogue.INHIBIT_FILE: alert_catalogue.inhibitions()}

    def rule_groups(self) -> list[dict[str, Any]]:
        """The groups of all files, in order."""
        return groups_of(self.rule_files())


def groups_of(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The groups of rule files, in order: what a PrometheusRule holds."""
    return [group for text in files.values() for group in yaml.safe_load(text)["groups"]]

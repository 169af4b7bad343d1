"""What a rule is: an alert or a recording, how it is written as YAML, and the PromQL that rules share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.metric import Gauge

WORKLOAD = ("namespace", "workload")
_DEFAULT_LABELS = ("severity",)
_VARIABLES = ("cluster", *WORKLOAD, "node", "gpu")  # of dashboards
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Severity(StrEnum):
    """How soon somebody must look: CRITICAL wakes, WARNING waits for the working day, NONE is for machines."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"  # nothing is wrong; something is not watched
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Links:
    """Where annotations point: the folder or address of the runbooks, and Grafana's address (empty: a path on it).

    `labels` are put on every alert besides `severity`, for routing: ``{"team": "serving"}``.

    Raises:
        ValueError: a label that is no label's name, or that the rules set themselves.
    """

    runbooks: str = "docs/runbooks"
    grafana: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse labels that would change what an alert is."""
        for name in self.labels:
            if not _LABEL.fullmatch(name) or name.startswith("__"):
                raise ValueError(f"labels: {name!r} is no name of a label; use letters, digits and _")
            if name in (*_DEFAULT_LABELS, "alertname", "cluster", *WORKLOAD):
                raise ValueError(f"labels: {name} is set by the rules; choose another name")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `description` is a template of Prometheus; `labels` are those that its series keep.

    `needs` names metrics that an exporter leaves out unless told otherwise, and without which the rule sees less.
    """

    name: str
    expr: str
    severity: Severity
    summary: str
    description: str
    wait: str = ""
    labels: tuple[str, ...] = ("cluster",)
    dashboard: str = "foresail-fleet"
    needs: tuple[str, ...] = ()

    @property
    def runbook(self) -> str:
        """File name of the alert's page, by the convention of kubernetes-mixin: its name in lower case."""
        return f"{self.name.lower()}.md"

    def document(self, links: Links) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": self.wait} if self.wait else {}),
            "labels": {"severity": str(self.severity), **dict(sorted(links.labels.items()))},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{links.runbooks.rstrip('/')}/{self.runbook}",
                "dashboard_url": f"{links.grafana.rstrip('/')}/d/{self.dashboard}{self._variables()}",
            },
        }

    def _variables(self) -> str:
        """Set the dashboard's variables to the alert's own labels."""
        chosen = [label for label in self.labels if label in _VARIABLES]
        query = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in chosen)
        return f"?{query}" if query else ""


@dataclass(frozen=True, slots=True)
class Recording:
    """One series that rules and dashboards read instead of many: its name is level, metric and operations."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self, _links: Links) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {"record": self.record, "expr": self.expr, **({"labels": dict(self.labels)} if self.labels else {})}


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, every `interval`: Prometheus' own where it is empty."""

    name: str
    rules: tuple[Alert | Recording, ...]
    interval: str = ""

    def document(self, links: Links) -> dict[str, Any]:
        """The group as Prometheus reads it."""
        head = {"name": self.name, **({"interval": self.interval} if self.interval else {})}
        return {**head, "rules": [rule.document(links) for rule in self.rules]}


def largest(metric: Gauge, *labels: str, ago: str = "", **equal: str) -> str:
    """Over all instances of the daemon: a standby's older value is no news."""
    offset = f" offset {ago}" if ago else ""
    return f"max by ({', '.join(('cluster', *labels))}) ({metric.value(**equal)}{offset})"


def of_workload(metric: Gauge, **equal: str) -> str:
    """A workload's value, over all instances of the daemon."""
    return largest(metric, *WORKLOAD, **equal)


def total(increase: str, *labels: str) -> str:
    """Over all instances of the daemon."""
    return f"sum by ({', '.join(('cluster', *labels))}) ({increase})"


def grown(counter: str, window: str, labels: tuple[str, ...], condition: str) -> str:
    """By how much counters grew, where `condition` holds of it; of one that began in the window, all that it counts.

    PromQL's `increase` does not see the first count of a series that begins with it.
    """
    by = f"sum by ({', '.join(labels)})"
    began = f"({by} ({counter}) unless {by} ({counter} offset {window}))"
    return either(f"{by} (increase({counter}[{window}])) {condition}", f"{began} {condition}")


def every(*conditions: str) -> str:
    """Where all hold; the value is the first one's."""
    return "\nand\n".join(f"({condition})" for condition in conditions)


def either(*conditions: str) -> str:
    """Where any holds; the value is that of the first which does."""
    return "\nor\n".join(f"({condition})" for condition in conditions)

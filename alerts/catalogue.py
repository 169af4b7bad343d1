"""Every rule that there is, by file and group: what is rendered to files, checked and published is read from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from alerts import burn, costs, gpus, health, workloads
from alerts.inhibition import INHIBITIONS, document
from alerts.rule import Alert, Group, Links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.spec import WorkloadPolicy


FILES: Mapping[str, tuple[Group, ...]] = {
    "foresail.rules.yaml": (
        *health.GROUPS,
        *workloads.GROUPS,
        *burn.GROUPS,
        *costs.GROUPS,
        *gpus.GROUPS,
    ),
}

SLO_FILE = "foresail-slo.rules.yaml"
INHIBIT_FILE = "alertmanager-inhibit.yaml"

_INHIBIT_HEAD = """\
# Rendered from alerts/inhibition.py by `make generate` or `foresail alerts render`.
# Alertmanager's configuration includes no files: add these rules to its `inhibit_rules`.
"""
_HEAD = """\
# Rendered from alerts/ by `make generate` or `foresail alerts render`.
# Foresail's own labels `namespace` and `workload` must survive the scrape: set `honor_labels: true` (a ServiceMonitor's
# `honorLabels: true`). Where one Prometheus holds several clusters, the label `cluster` tells them apart.
"""


def files(links: Links | None = None, policies: Sequence[WorkloadPolicy] = ()) -> dict[str, str]:
    """YAML text by file name, as Prometheus loads it: the same bytes for the same arguments.

    Policies with an SLO and a signal of kind `late` bring a file of their own, on which the alerts of burn rates rest.
    """
    links, of_policies = links or Links(), burn.groups_of(policies)
    contents = {**FILES, **({SLO_FILE: of_policies} if of_policies else {})}
    return {name: _text_of(groups, links) for name, groups in contents.items()}


def inhibitions() -> str:
    """YAML text of `INHIBIT_FILE`: what to put into Alertmanager's configuration, which includes no files."""
    return _INHIBIT_HEAD + yaml.dump(document(INHIBITIONS), Dumper=_Dumper, sort_keys=False, width=10_000)


def alerts() -> tuple[Alert, ...]:
    """Every alert, in the order of the files."""
    return tuple(
        rule for contents in FILES.values() for group in contents for rule in group.rules if isinstance(rule, Alert)
    )


def _text_of(contents: Sequence[Group], links: Links) -> str:
    document = {"groups": [group.document(links) for group in contents]}
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000)


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key and writes texts of several lines as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's
        """Prometheus-operator's readers take no anchors."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

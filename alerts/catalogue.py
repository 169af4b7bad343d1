"""Every rule that there is, by file and group: what is rendered to files, checked and published is read from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from alerts import costs, gpus, health, workloads
from alerts.rule import Alert, Group, Links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


FILES: Mapping[str, tuple[Group, ...]] = {
    "foresail.rules.yaml": (*health.GROUPS, *workloads.GROUPS, *costs.GROUPS, *gpus.GROUPS),
}

_HEAD = """\
# Rendered from alerts/ by `make generate` or `foresail alerts render`.
# Foresail's own labels `namespace` and `workload` must survive the scrape: set `honor_labels: true` (a ServiceMonitor's
# `honorLabels: true`). Where one Prometheus holds several clusters, the label `cluster` tells them apart.
"""


def files(links: Links | None = None) -> dict[str, str]:
    """YAML text by file name, as Prometheus loads it: the same bytes for the same arguments."""
    links = links or Links()
    return {name: _text_of(contents, links) for name, contents in FILES.items()}


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

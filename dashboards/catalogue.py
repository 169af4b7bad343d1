"""Every dashboard that there is, as Grafana takes it: what is rendered to files and published is read from here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards import fleet

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """One dashboard. `uid` never changes once published; `body` is Grafana's classic form (10 to 13 take it)."""

    uid: str
    title: str
    file: str  # name of the file it is rendered to
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The same JSON every time: what a file or a ConfigMap holds, and what a digest is taken of."""
        return json.dumps(self.body, sort_keys=True, indent=2) + "\n"


def documents() -> tuple[Document, ...]:
    """Every dashboard, in the order in which they are listed."""
    body = json.loads(fleet.render())
    return (Document(fleet.UID, fleet.TITLE, f"{fleet.UID}.json", body),)

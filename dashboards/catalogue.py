"""Every dashboard that there is, as Grafana takes it: what is rendered to files and published is read from here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards import costs, fleet, forecast, gpus, own, workload
from dashboards.board import rendered
from dashboards.links import RUNBOOKS

if TYPE_CHECKING:
    from collections.abc import Mapping

BOARDS = (fleet.BOARD, workload.BOARD, forecast.BOARD, gpus.BOARD, costs.BOARD, own.BOARD)


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


def documents(*, runbooks: str = RUNBOOKS) -> tuple[Document, ...]:
    """Every dashboard, in the order in which they are listed; `runbooks` is where their pages can be read.

    Panels link to runbooks when that is the address of a site (https://...); else descriptions name the files.
    """
    return tuple(
        Document(board.uid, board.title, f"{board.uid}.json", rendered(board, runbooks=runbooks)) for board in BOARDS
    )


def text_of(uid: str) -> str:
    """The text of one dashboard. Raises KeyError if there is none."""
    return {document.uid: document for document in documents()}[uid].text

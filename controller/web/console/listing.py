"""The list of workloads, the worst first: filtered, a page at a time, from the API's own documents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web

from controller.web import documents
from controller.web.condition import Condition, standings_of
from controller.web.once import once

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.records import TickReport

ROWS = 50
_LONGEST = 200
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ListAsked:
    """Which workloads: those whose namespace/name has the text, of one namespace or of all; and which page of them."""

    text: str = ""
    namespace: str = ""
    page: int = 1

    @classmethod
    def of(cls, request: web.Request) -> ListAsked:
        """What the query says. Raises HTTPBadRequest."""
        page = request.query.get("page", "1")
        if not (page.isdecimal() and page.isascii() and len(page) <= _MOST_DIGITS and int(page) > 0):
            raise web.HTTPBadRequest(text=f"page must be a whole number from 1, not {page[:_LONGEST]!r}")
        text, namespace = (request.query.get(name, "").strip()[:_LONGEST] for name in ("q", "namespace"))
        return cls(text, namespace, int(page))

    @property
    def query(self) -> str:
        """The same as a query, with its question mark; empty where nothing is asked for."""
        asked = {"q": self.text, "namespace": self.namespace, "page": str(self.page) if self.page > 1 else ""}
        found = urlencode({name: value for name, value in asked.items() if value})
        return f"?{found}" if found else ""

    def at(self, page: int) -> ListAsked:
        """The same filter at another page."""
        return replace(self, page=page)


def listing(report: TickReport, asked: ListAsked) -> Mapping[str, object]:
    """What the list shows: a page of workloads, how many there are, and how many of each condition."""
    standings, uids = standings_of(report), report.fleet.uid
    found = [lane for lane in standings.worst_first().tolist() if _matches(uids[lane], asked)]
    pages = max(1, -(-len(found) // ROWS))
    here = asked.at(min(asked.page, pages))
    lanes = found[(here.page - 1) * ROWS : here.page * ROWS]
    conditions = standings.condition[found]
    counts = {each: int((conditions == each).sum()) for each in Condition}
    return {
        "workloads": documents.workload_list(report, lanes, "")["items"],
        "asked": here,
        "pages": pages,
        "found": len(found),
        "total": len(uids),
        "counts": {each.name.lower(): count for each, count in counts.items() if count},
    }


@once
def namespaces(report: TickReport) -> list[str]:
    """Those that workloads are in, sorted."""
    return sorted({uid.partition("/")[0] for uid in report.fleet.uid})


def _matches(uid: str, asked: ListAsked) -> bool:
    in_namespace = not asked.namespace or uid.partition("/")[0] == asked.namespace
    return in_namespace and asked.text.lower() in uid.lower()

"""A workload's page, section by section; each has a template of its own in templates/workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import ForesailError
from controller.web import documents, listed
from controller.web.readiness import readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.records import TickReport
    from controller.web import schemas
    from controller.web.app import Views
    from controller.web.console.templates import Templates
    from policies.projection.origin import Left

DECISIONS = 10  # shown of the journal
ORDERS = 20
_ALL_S = float("inf")


@dataclass(frozen=True, slots=True)
class Subject:
    """A workload at a tick: its document, and its decisions and orders from the journal, or why they cannot be read."""

    report: TickReport
    lane: int
    status: schemas.WorkloadStatus
    decisions: schemas.DecisionList | None
    orders: list[schemas.Order]
    left: Left | None = None  # by the tick, for the next one
    unread: str = ""

    @property
    def uid(self) -> str:
        """Namespace and name."""
        return self.report.fleet.uid[self.lane]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: `workload/NAME.html`, its title, and what its template needs beside `status`."""

    name: str
    title: str
    values: Callable[[Subject], Mapping[str, object]] = lambda _subject: {}


async def subject_of(views: Views, report: TickReport, lane: int) -> Callable[[], Subject]:
    """What the page is about: the journal is asked now, and the documents are made when the answer is called."""
    uid, unread = report.fleet.uid[lane], ""
    found: schemas.DecisionList | None = None
    orders: list[schemas.Order] = []
    try:
        found = documents.decision_list(await views.decisions(uid, _ALL_S, DECISIONS), "")
        orders = documents.order_list(await views.orders(uid, ORDERS))["items"]
    except ForesailError as error:
        unread = str(error)
    last, left = views.outcomes().get(uid), views.left()
    return lambda: Subject(report, lane, documents.workload(report, lane, last), found, orders, left, unread)


def _sees(subject: Subject) -> Mapping[str, object]:
    return {"signals": listed.signals_of(subject.report, subject.lane)}


def _did(subject: Subject) -> Mapping[str, object]:
    return {"decisions": subject.decisions, "orders": subject.orders, "unread": subject.unread}


def _ready(subject: Subject) -> Mapping[str, object]:
    return {"readiness": readiness(subject.report, subject.left, subject.lane)}


SECTIONS = (
    Section("now", "Now"),
    Section("sees", "What it sees", _sees),
    Section("predicts", "What it predicts"),
    Section("decided", "What it decided, and why"),
    Section("did", "What it did", _did),
    Section("next", "What it will do next"),
    Section("ready", "Whether it may go to the next mode", _ready),
)


def rendered(templates: Templates, subject: Subject) -> bytes:
    """All sections of a workload's page."""
    parts = [
        (each, templates.render(f"workload/{each.name}.html", status=subject.status, **each.values(subject)))
        for each in SECTIONS
    ]
    return templates.render("workload/sections.html", parts=parts, status=subject.status).encode()

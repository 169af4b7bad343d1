"""The pages that are read: the list, a workload, the fleet; what is made of a tick is rendered once, in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup

from controller.records import FLEET
from controller.web.api import lane_of, present
from controller.web.console import listing, sections
from controller.web.console.forms import Done, Filled
from controller.web.console.listing import ListAsked
from controller.web.console.shell import PREFIX
from controller.web.holds import intervention
from controller.web.pages import Rendered, answered

if TYPE_CHECKING:
    from aiohttp import web

    from controller.records import TickReport
    from controller.web.console.half_hour import HalfHour
    from controller.web.console.shell import Shell
    from controller.web.pages import Pages

_HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Shown:
    """Handlers of what is read. `done` remembers what forms did, to tell it on the page that comes next."""

    shell: Shell
    pages: Pages
    half_hour: HalfHour
    done: Done = field(default_factory=Done)

    async def workloads(self, request: web.Request) -> web.Response:
        """The list."""
        report = self.shell.views.report()
        if report is None:
            return self.shell.page(request, "starting.html")
        asked = ListAsked.of(request)
        return self.shell.page(
            request,
            "list.html",
            listed=_markup(await self._listed(report, asked)),
            asked=asked,
            namespaces=listing.namespaces(report),
            live=f"{PREFIX}/parts/workloads{asked.query}",
        )

    async def workload(self, request: web.Request) -> web.Response:
        """One workload."""
        return await self.workload_page(request)

    async def fleet(self, request: web.Request) -> web.Response:
        """All workloads."""
        return self.fleet_page(request)

    async def workload_page(
        self, request: web.Request, filled: Filled | None = None, status: int = 200
    ) -> web.Response:
        """A workload's page, with what was typed in a form of it and why that was not taken."""
        report = present(self.shell.views)
        lane = lane_of(report, request)
        uid = report.fleet.uid[lane]
        return self.shell.page(
            request,
            "workload.html",
            status=status,
            uid=uid,
            sections=_markup(await self._sections(report, lane)),
            live=f"{PREFIX}/parts/workloads/{uid}",
            half_hour=await self.half_hour.shown(report, lane),
            replicas=int(report.decision.replicas.target[lane]),
            **self._form(request, uid, filled),
        )

    def fleet_page(self, request: web.Request, filled: Filled | None = None, status: int = 200) -> web.Response:
        """The page of all workloads, as above."""
        return self.shell.page(request, "fleet.html", status=status, **self._form(request, FLEET, filled))

    async def part_of_banner(self, request: web.Request) -> web.Response:
        """The banner as it is now."""
        return answered(request, Rendered.of(self.shell.banner().encode()), _HTML)

    async def part_of_workloads(self, request: web.Request) -> web.Response:
        """The list's rows as they are now."""
        return answered(request, await self._listed(present(self.shell.views), ListAsked.of(request)), _HTML)

    async def part_of_workload(self, request: web.Request) -> web.Response:
        """A workload's sections as they are now."""
        report = present(self.shell.views)
        return answered(request, await self._sections(report, lane_of(report, request)), _HTML)

    async def _listed(self, report: TickReport, asked: ListAsked) -> Rendered:
        def make() -> bytes:
            return self.shell.templates.render("workloads.html", **listing.listing(report, asked)).encode()

        return await self.pages.rendered(("console", asked), report, make)

    async def _sections(self, report: TickReport, lane: int) -> Rendered:
        key = ("console", report.fleet.uid[lane])
        known = self.pages.known(key, report)
        if known is not None:
            return known  # without asking the journal again
        subject = await sections.subject_of(self.shell.views, report, lane)
        return await self.pages.rendered(key, report, lambda: sections.rendered(self.shell.templates, subject()))

    def _form(self, request: web.Request, uid: str, filled: Filled | None) -> dict[str, object]:
        """What the forms of a workload or of all need."""
        told = self.shell.views.interventions().get(uid)
        return {
            "filled": filled or Filled("", {}, ()),
            "told": None if told is None else intervention(told),
            "done": self.done.of(request.query.get("done", "")),
        }


def _markup(rendered: Rendered) -> Markup:
    """What a template has rendered, to be put in another."""
    return Markup(rendered.body.decode())  # noqa: S704 - the template has escaped it

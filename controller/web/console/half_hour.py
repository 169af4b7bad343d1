"""The part of a workload's page that tells its next half hour: made once a minute, beside all that is rendered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from markupsafe import Markup

from controller.records import FLEET
from controller.web.api import lane_of, present
from controller.web.pages import Pages, Rendered, answered
from controller.web.projection import projection
from policies.projection.course import Whatif

if TYPE_CHECKING:
    from controller.records import TickReport
    from controller.web import schemas, shapes
    from controller.web.console.shell import Shell

PATIENCE_S = 1.0  # for which a page waits; then it is shown without this part, which comes by itself
ROWS_MIN = 5
_MINUTE_S = 60.0
_TEMPLATE = "half_hour.html"


@dataclass(slots=True)
class HalfHour:
    """Renders it, and answers who loads it again."""

    shell: Shell
    pages: Pages = field(default_factory=Pages)
    _minute: tuple[float, object] = (-1.0, None)  # of the last one made, and what stands for it

    async def part(self, request: web.Request) -> web.Response:
        """As it is now."""
        report = present(self.shell.views)
        return answered(request, await self._rendered(report, lane_of(report, request)), "text/html")

    async def shown(self, report: TickReport, lane: int) -> Markup:
        """As a part of the page, if it is there in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return Markup((await self._rendered(report, lane)).body.decode())  # noqa: S704 - the template has escaped it
        except TimeoutError:
            why = "it is being worked out, and comes by itself or with a reload"
        except web.HTTPError as error:
            why = error.text or error.reason
        return self.shell.templates.render(_TEMPLATE, told=None, why=why)

    async def _rendered(self, report: TickReport, lane: int) -> Rendered:
        uid, left, told = report.fleet.uid[lane], self.shell.views.left(), report.interventions
        minute = report.at_s // _MINUTE_S
        if minute != self._minute[0]:
            self._minute = (minute, object())

        def make() -> bytes:
            found = projection(report, left, lane, Whatif())
            return self.shell.templates.render(_TEMPLATE, told=found, rows=rows(found)).encode()

        return await self.pages.rendered((uid, told.get(FLEET), told.get(uid)), self._minute[1], make)


@dataclass(frozen=True, slots=True)
class Cell:
    """Ready replicas of a course at a time, None where nobody knows; `short` names a load that they are too few for."""

    ready: shapes.CountByQuantile | None
    short: str


@dataclass(frozen=True, slots=True)
class Row:
    """A time, what the load needs then, None where nobody knows, and a cell for each course."""

    at: str
    needed: shapes.CountByQuantile | None
    cells: tuple[Cell, ...]


def rows(told: schemas.WorkloadProjection) -> list[Row]:
    """The courses side by side, every five minutes."""
    known = [each["replicas"] for each in told["courses"] if each["replicas"] is not None]
    times = [each["at"] for each in (told["load"] or (known[0] if known else []))]
    return [_row(told, minute, times[minute]) for minute in range(0, len(times), ROWS_MIN)]


def _row(told: schemas.WorkloadProjection, minute: int, at: str) -> Row:
    load = told["load"]
    needed = None if load is None else load[minute]["needed"]
    replicas = (course["replicas"] for course in told["courses"])
    return Row(at, needed, tuple(_cell(None if each is None else each[minute]["ready"], needed) for each in replicas))


def _cell(ready: shapes.CountByQuantile | None, needed: shapes.CountByQuantile | None) -> Cell:
    if ready is None or needed is None:
        return Cell(ready, "")
    if ready["p50"] < needed["p50"]:
        return Cell(ready, "p50")
    return Cell(ready, "p90" if ready["p90"] < needed["p90"] else "")

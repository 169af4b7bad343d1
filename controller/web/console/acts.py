"""What the forms tell Foresail to do: checked and taken as through the API, and recorded with who told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from aiohttp import web

from controller.errors import ForesailError
from controller.records import FLEET
from controller.web.auth import CALLER, HOW_TO_TURN_ON
from controller.web.console.forms import Filled, act_of
from controller.web.console.shell import PREFIX, problem

if TYPE_CHECKING:
    from typing import Literal

    from controller.web.actions import Actions
    from controller.web.console.shown import Shown


@dataclass(frozen=True, slots=True)
class Acts:
    """Handlers of the forms. What is not taken comes back as it was typed, with why."""

    actions: Actions | None
    shown: Shown

    async def on_workload(self, request: web.Request) -> web.StreamResponse:
        """Pause, override or resume one workload."""
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        where = f"{PREFIX}/workloads/{quote(namespace, safe='')}/{quote(name, safe='')}"
        return await self._do(request, f"{namespace}/{name}", where)

    async def on_fleet(self, request: web.Request) -> web.StreamResponse:
        """Pause or resume all."""
        return await self._do(request, FLEET, f"{PREFIX}/fleet")

    async def _do(self, request: web.Request, uid: str, where: str) -> web.StreamResponse:
        if self.actions is None:
            raise web.HTTPForbidden(text=HOW_TO_TURN_ON)
        kind = cast("Literal['pause', 'override', 'resume']", request.match_info["act"])
        values = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        asked = act_of(kind, uid, values)
        if isinstance(asked, tuple):
            return await self._again(request, Filled(kind, values, asked), 422)
        try:
            acted = await self.actions.do(request[CALLER], asked)
        except (web.HTTPError, ForesailError) as error:
            status, text = problem(error)
            return await self._again(request, Filled(kind, values, (text,)), status)
        return web.Response(status=303, headers={"Location": f"{where}?done={self.shown.done.remember(acted)}#acts"})

    async def _again(self, request: web.Request, filled: Filled, status: int) -> web.StreamResponse:
        if "name" in request.match_info:
            return await self.shown.workload_page(request, filled, status)
        return self.shown.fleet_page(request, filled, status)

"""All routes of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from controller.web.auth import SIGN_IN_PATH
from controller.web.console.acts import Acts
from controller.web.console.shell import PREFIX
from controller.web.console.shown import Shown
from controller.web.console.sign_in import SignIn
from controller.web.console.whatif import AskedPage

if TYPE_CHECKING:
    from controller.web.actions import Actions
    from controller.web.console.half_hour import HalfHour
    from controller.web.console.shell import Shell
    from controller.web.pages import Pages
    from controller.whatif.asking import WhatIfs

_ONE = "workloads/{namespace}/{name}"


def routes(
    shell: Shell, pages: Pages, half_hour: HalfHour, actions: Actions | None, whatifs: WhatIfs | None
) -> list[web.RouteDef]:
    """The pages, the parts of them that are loaded again while they are open, and what their forms send."""
    shown = Shown(shell, pages, half_hour)
    acts, sign_in = Acts(actions, shown), SignIn(shell)
    return [
        web.get("/", _to_the_console),
        web.get(PREFIX, shown.workloads),
        web.get(f"{PREFIX}/{_ONE}", shown.workload),
        web.get(f"{PREFIX}/{_ONE}/whatif", AskedPage(shell, whatifs).show),
        web.get(f"{PREFIX}/fleet", shown.fleet),
        web.get(f"{PREFIX}/parts/banner", shown.part_of_banner),
        web.get(f"{PREFIX}/parts/workloads", shown.part_of_workloads),
        web.get(f"{PREFIX}/parts/{_ONE}", shown.part_of_workload),
        web.get(f"{PREFIX}/parts/{_ONE}/half-hour", half_hour.part),
        web.get(f"{PREFIX}/static/{{digest}}/{{name:.+}}", shell.templates.static.serve),
        web.post(f"{PREFIX}/{_ONE}/{{act:pause|resume|override}}", acts.on_workload),
        web.post(f"{PREFIX}/fleet/{{act:pause|resume}}", acts.on_fleet),
        web.get(SIGN_IN_PATH, sign_in.show),
        web.post(SIGN_IN_PATH, sign_in.begin),
        web.post(f"{PREFIX}/sign-out", sign_in.end),
    ]


async def _to_the_console(_request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": PREFIX})

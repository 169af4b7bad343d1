"""The page that asks what the last days would have been under another policy: a form that is read, and a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import ValidationError

from controller.errors import ForesailError
from controller.web.api import lane_of, present
from controller.web.console.shell import problem
from controller.web.whatif import WhatIfRequest, document, told_of
from controller.whatif.asking import LONGEST_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.web.console.shell import Shell
    from controller.whatif.asking import WhatIfs

_EXPECTED = {
    "days": ("Days", f"a number above 0, and at most {LONGEST_DAYS}"),
    "late": ("May be late", "a share above 0 and up to 0.5, such as 0.01"),
    "min": ("Fewest replicas", "a whole number from 0 to 100000"),
    "max": ("Most replicas", "a whole number from 1 to 100000"),
    "price": ("Price of a replica-hour", "a number above 0, such as 1.20"),
}


@dataclass(frozen=True, slots=True)
class AskedPage:
    """The handler. What is asked stands in the query, so that an answer can be asked for again by its address."""

    shell: Shell
    whatifs: WhatIfs | None

    async def show(self, request: web.Request) -> web.Response:
        """The form, and the answer once something is asked."""
        report = present(self.shell.views)
        uid = report.fleet.uid[lane_of(report, request)]
        typed = {name: request.query.get(name, "").strip() for name in _EXPECTED}
        if not request.query:
            return self.shell.page(request, "whatif.html", uid=uid, typed=typed, errors=(), found=None)
        asked = _asked(typed)
        if isinstance(asked, tuple):
            page = {"typed": typed, "errors": asked, "found": None}
            return self.shell.page(request, "whatif.html", status=422, uid=uid, **page)
        try:
            told = await told_of(request, report, self.whatifs, asked.change)
        except (web.HTTPError, ForesailError) as error:
            status, text = problem(error)
            page = {"typed": typed, "errors": (text,), "found": None}
            return self.shell.page(request, "whatif.html", status=status, uid=uid, **page)
        return self.shell.page(request, "whatif.html", uid=uid, typed=typed, errors=(), found=document(told))


def _asked(typed: Mapping[str, str]) -> WhatIfRequest | tuple[str, ...]:
    """What was typed, or everything that is wrong with it."""
    try:
        return WhatIfRequest.model_validate({name: _number(text) for name, text in typed.items() if text})
    except ValidationError as error:
        names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        return tuple(f"{_EXPECTED[name][0]}: {_EXPECTED[name][1]}, not {typed[name][:40]}" for name in names)


def _number(text: str) -> object:
    """A number where it is one, else what was typed, which the model refuses."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text

"""POST .../whatif: what the last days of a workload would have been under another policy; it changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field, StrictInt

from controller.web.acting import Body, body_of, whole
from controller.web.auth import READING_POST
from controller.web.documents import API_VERSION
from controller.web.times import time_text
from controller.whatif.asking import LONGEST_DAYS, Busy, Change
from policies.fixed import MOST_REPLICAS
from policies.objective import DEFAULT_LATE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    from controller.records import TickReport
    from controller.web import schemas
    from controller.whatif.asking import Told, WhatIfs
    from simulations.changed import Evidence, Figures, Terms

    T = TypeVar("T")

ASK_AGAIN_S = 10
NO_JOURNAL = "there is no journal to ask: this Foresail has none"

_LOOK_EVERY_S = 0.5

Fewest = Annotated[StrictInt, Field(ge=0, le=MOST_REPLICAS), BeforeValidator(whole)]
Most = Annotated[StrictInt, Field(ge=1, le=MOST_REPLICAS), BeforeValidator(whole)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class WhatIfRequest(Body):
    """What of the policy is to be another; what is left out or null stays as it is."""

    days: Annotated[Real, Field(gt=0, le=LONGEST_DAYS, description="How far back, as far as the journal reaches.")] = (
        LONGEST_DAYS
    )
    late: Annotated[
        Annotated[Real, Field(gt=0, le=0.5)] | None,
        Field(description=f"objective.late: share of requests that may be late, such as {DEFAULT_LATE}."),
    ] = None
    min: Annotated[Fewest | None, Field(description="replicas.min")] = None
    max: Annotated[Most | None, Field(description="replicas.max")] = None
    price: Annotated[Annotated[Real, Field(gt=0, le=1e6)] | None, Field(description="objective.prices.replicaHour")] = (
        None
    )

    @property
    def change(self) -> Change:
        """The same, as it is asked for."""
        return Change(self.days, self.late, self.min, self.max, self.price)


def routes(report: Callable[[], TickReport | None], whatifs: WhatIfs | None) -> list[web.RouteDef]:
    """The route that asks."""
    path = "/api/v1/workloads/{namespace}/{name}/whatif"
    return [web.post(path, _Asking(report, whatifs).ask, name=READING_POST)]


@dataclass(frozen=True, slots=True)
class _Asking:
    report: Callable[[], TickReport | None]
    whatifs: WhatIfs | None

    async def ask(self, request: web.Request) -> web.Response:
        body = await body_of(request, WhatIfRequest)
        told = await told_of(request, self.report(), self.whatifs, body.change)
        return web.json_response(document(told))


async def told_of(request: web.Request, report: TickReport | None, whatifs: WhatIfs | None, change: Change) -> Told:
    """The answer about the workload that a path names, for as long as the caller waits for it.

    Raises HTTPConflict, HTTPNotFound or HTTPServiceUnavailable beside what `WhatIfs.ask` raises.
    """
    uid = f"{request.match_info['namespace']}/{request.match_info['name']}"
    if report is None or whatifs is None:
        raise web.HTTPServiceUnavailable(text=NO_JOURNAL if whatifs is None else "no tick has come to a decision yet")
    if uid in report.quarantined:
        raise web.HTTPConflict(text=f"{uid} is in quarantine: {report.quarantined[uid]}")
    if uid not in report.fleet.uid:
        raise web.HTTPNotFound(text=f"no policy is in force for {uid}")
    try:
        return await _while_wanted(request, whatifs.ask(uid, change))
    except Busy as error:
        raise web.HTTPServiceUnavailable(text=str(error), headers={"Retry-After": str(ASK_AGAIN_S)}) from error


async def _while_wanted(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to; it is cancelled when the client goes away, which aiohttp does not tell by itself."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_EVERY_S))[0]:
            if request.transport is None or request.transport.is_closing():
                raise web.HTTPServiceUnavailable(text="nobody waits for the answer any more")
        return task.result()
    finally:
        task.cancel()


def document(told: Told) -> schemas.WhatIf:
    """What was answered."""
    namespace, _, name = told.uid.partition("/")
    found = told.answered
    names = ("present", "asked")[: len(told.terms)]
    rows = [_row("happened", found.compared.happened)] if found.compared.happened is not None else []
    rows += [
        _row(name, figures, terms)
        for name, figures, terms in zip(names, found.compared.policies, told.terms, strict=True)
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "WhatIf",
        "namespace": namespace,
        "name": name,
        "evidence": _evidence(told, found.compared.evidence),
        "rows": rows,
        "policy": told.lines,
        "notes": list(told.notes),
    }


def _evidence(told: Told, evidence: Evidence) -> schemas.WhatIfEvidence:
    found = told.answered
    return {
        "judged": _span(evidence.span_s),
        "read": _span(found.read_s),
        "readEverySeconds": found.every_s,
        "whole": found.whole,
        "warmupHours": evidence.warmup_hours,
        "loadHours": evidence.load_hours,
        "censoredRatio": evidence.censored_ratio,
        "unknownRatio": evidence.unknown_ratio,
    }


def _span(span_s: tuple[float, float]) -> schemas.WhatIfSpan:
    return {"from": time_text(span_s[0]), "to": time_text(span_s[1])}


def _row(name: str, figures: Figures, terms: Terms | None = None) -> schemas.WhatIfRow:
    worst = figures.worst
    return {
        "name": name,
        "late": None if terms is None else terms.late_ratio,
        "min": None if terms is None else terms.replicas[0],
        "max": None if terms is None else terms.replicas[1],
        "price": None if terms is None else terms.price,
        "replicaHours": figures.replica_hours,
        "cost": figures.cost,
        "lateRatio": figures.late_ratio,
        "worstHour": None if worst is None else {"at": time_text(worst.at_s), "lateRatio": worst.late_ratio},
        "churn": figures.churn_per_day,
    }

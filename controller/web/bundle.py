"""GET /api/v1/debug-bundle: what explains this Foresail, for who may act on all workloads, since much is in it."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from typing import TYPE_CHECKING

from aiohttp import web

from controller.bundle import Member, bundle, json_text
from controller.bundle.secrets import known_secrets
from controller.errors import ForesailError
from controller.logging import recent
from controller.web import documents, listed
from controller.web.auth import CALLER, HOW_TO_TURN_ON
from controller.web.condition import Standings
from controller.web.health import health
from controller.web.holds import intervention
from controller.web.pages import LARGEST_PAGE, Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from controller.journal import JournalHealth, Statistics
    from controller.records import Outcome, TickReport
    from controller.settings import Settings
    from controller.web.actions import Actions
    from controller.web.app import Views
    from controller.web.auth import Guard

PATH = "/api/v1/debug-bundle"
WHOLE_WORKLOADS = 200  # told in full, the worst first; all are told in short


@dataclass(frozen=True, slots=True)
class Bundles:
    """What a bundle is made of beside what the API shows; `environ` is searched for secrets and never written."""

    settings: Settings
    origins: Mapping[str, str]
    environ: Mapping[str, str]
    statistics: Callable[[], Awaitable[Statistics]]
    journal: Callable[[], JournalHealth]
    now_s: Callable[[], float]
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def made(self, views: Views) -> bytes:
        """A new one. Two are not made at once."""
        async with self._one:
            journal: dict[str, object] = {"health": asdict(self.journal())}
            try:
                journal["statistics"] = asdict(await self.statistics())
            except ForesailError as error:
                journal["problem"] = str(error)
            return await asyncio.to_thread(self._packed, views, journal)

    def _packed(self, views: Views, journal: Mapping[str, object]) -> bytes:
        secrets = known_secrets(self.settings, self.environ)
        members = [
            Member("version.json", lambda: json_text(_version())),
            Member("settings.json", lambda: json_text(self._settings())),
            Member("health.json", lambda: json_text(health(views))),
            Member("journal.json", lambda: json_text(journal)),
            Member("log.jsonl", lambda: "".join(f"{line}\n" for line in recent())),
            Member("interventions.json", lambda: json_text(list(map(intervention, views.interventions().values())))),
            *_of_tick(views.report(), views.outcomes()),
            Member("metrics.txt", views.metrics("text/plain")[0].decode),
        ]
        return bundle(members, secrets, at_s=self.now_s())

    def _settings(self) -> dict[str, dict[str, str]]:
        """Each setting as it may be shown, and where it comes from."""
        origins = self.origins
        return {
            name: {"value": value, "origin": origins.get(name, "")} for name, value in self.settings.shown().items()
        }


def routes(views: Views, guard: Guard, actions: Actions | None, bundles: Bundles | None) -> list[web.RouteDef]:
    """The route that gives one."""

    async def give(request: web.Request) -> web.Response:
        await _permitted(request, guard, actions)
        if bundles is None:
            raise web.HTTPServiceUnavailable(text="this Foresail has no settings to tell of")
        body = await bundles.made(views)
        name = f"foresail-debug-{datetime.fromtimestamp(bundles.now_s(), UTC):%Y%m%dT%H%M%SZ}.tar.gz"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(body=body, content_type="application/gzip", headers=headers)

    return [web.get(PATH, give, allow_head=False)]


async def _permitted(request: web.Request, guard: Guard, actions: Actions | None) -> None:
    """Let those on who may act on all workloads, as they may now. Raises an HTTP error."""
    person = request.get(CALLER)
    if person is None:
        raise guard.refusal()
    if actions is None:
        raise web.HTTPForbidden(text=HOW_TO_TURN_ON)
    if "Authorization" not in request.headers and (session := guard.sessions.of(request)) is not None:
        person = await guard.still(session)
    await actions.permit(person, None)


def _version() -> dict[str, object]:
    return {
        "foresail": version("foresail"),
        "python": sys.version,
        "platform": platform.platform(),
        "packages": {each.name: each.version for each in sorted(distributions(), key=lambda each: each.name.lower())},
    }


def _of_tick(report: TickReport | None, outcomes: Mapping[str, Outcome]) -> Iterator[Member]:
    if report is None:
        return
    every = Asked(LARGEST_PAGE)
    yield Member("tick.json", lambda: json_text(_tick(report)))
    yield Member("policies.json", lambda: json_text(list(_policies(report))))
    yield Member("holds.json", lambda: json_text(listed.hold_list(report, every)))
    yield Member("workloads.json", lambda: json_text(listed.workloads(report, every)))
    yield Member("signals.json", lambda: json_text(listed.signals(report, every)))
    yield Member("workloads-in-full.jsonl", lambda: "".join(_in_full(report, outcomes)))


def _tick(report: TickReport) -> dict[str, object]:
    return {
        "at": report.at_s,
        "phasesSeconds": dict(report.phases_s),
        "outcomes": [asdict(each) for each in report.outcomes],
        "owners": dict(report.owners),
    }


def _policies(report: TickReport) -> Iterator[dict[str, object]]:
    """The documents in force, without their annotations: other tools keep what they like in those."""
    for each in report.policies.policies:
        document = each.document()
        metadata = document["metadata"]
        if isinstance(metadata, dict):
            metadata.pop("annotations", None)
        yield document
    for budget in report.policies.budgets:
        yield {"kind": budget.kind, "name": budget.metadata.name, "spec": budget.spec.model_dump(mode="json")}


def _in_full(report: TickReport, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for lane in Standings.of(report).worst_first()[:WHOLE_WORKLOADS].tolist():
        found = documents.workload(report, lane, outcomes.get(report.fleet.uid[lane]))
        yield json.dumps(found, ensure_ascii=False) + "\n"

"""The real loop, journal and web application on a simulated cluster; in a thread, for callers that block."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.adapters.token_file import TokenFile
from controller.journal import Journal
from controller.settings import Settings
from controller.settings.values import Listen
from controller.web import Acted, Actions, Bundles, Check, Guard, Hub, OnDemand, Sessions, Views, serving, web_app
from controller.web.changes import publish_tick
from controller.web.holds import intervention
from controller.whatif import Question, answered
from controller.whatif.asking import WhatIfs
from policies.projection.origin import Left
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
    from pathlib import Path
    from typing import Any, TypeVar

    from controller.errors import ForesailError
    from controller.journal import DecisionRow, Intent, JournalHealth
    from controller.ports import Access
    from controller.records import TickReport
    from controller.whatif import Answered

    T = TypeVar("T")

TOKEN = "correct-horse-battery-staple"
PERSON = "anna"


@dataclass
class Stage:
    """One daemon's parts. `bridge` runs a coroutine on their loop from another thread."""

    rig: Rig
    journal: Journal
    hub: Hub = field(default_factory=Hub)
    access: Access | None = None
    open_reading: bool = True
    url: str = ""
    counted: list[tuple[str, str]] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None
    journal_url: str = ""
    asked: list[Question] = field(default_factory=list)
    answer: Callable[[Question], Awaitable[Answered | ForesailError]] | None = None
    settings: Settings = field(default_factory=Settings)
    environ: dict[str, str] = field(default_factory=dict)

    def report(self) -> TickReport | None:
        return self.rig.reports[-1] if self.rig.reports else None

    async def tick(self) -> TickReport:
        before = self.report()
        await self.rig.ticks()
        found = self.rig.last()
        publish_tick(self.hub, found, before)
        return found

    async def decisions(self, uid: str, before_s: float, limit: int) -> Sequence[DecisionRow]:
        return await self.journal.decisions(uid, before_s=before_s, limit=limit)

    async def orders(self, uid: str, limit: int) -> Sequence[Intent]:
        return await self.journal.orders(uid, limit=limit)

    def told(self, acted: Acted) -> None:
        self.counted.append((acted.taken.told.kind, "done"))
        self.hub.publish("intervention", intervention(acted.taken.told))

    def left(self) -> Left | None:
        loop = self.rig.loop
        return None if loop.state is None else Left(loop.state, loop.planning.fit)

    def views(self) -> Views:
        return Views(
            report=self.report,
            metrics=lambda _: (b"", "text/plain"),
            live=lambda: [Check("loop", ok=True)],
            ready=lambda: [Check("policies", ok=True)],
            version={"version": "1.2.3"},
            decisions=self.decisions,
            orders=self.orders,
            outcomes=lambda: {each.order.uid: each for made in self.rig.reports for each in made.outcomes},
            interventions=self.rig.loop.interventions.in_force,
            left=self.left,
        )

    def actions(self) -> Actions:
        return Actions(
            self.rig.loop.interventions,
            self.access,
            self.report,
            7 * 86_400.0,
            self.told,
            lambda kind: self.counted.append((kind, "refused")),
        )

    def on_demand(self) -> OnDemand:
        """What-ifs are answered in a thread: a process takes seconds to start."""

        async def answer(question: Question) -> Answered | ForesailError:
            self.asked.append(question)
            return await (self.answer or _in_a_thread)(question)

        whatifs = WhatIfs(self.journal_url, self.report, lambda: self.rig.loop.state, answer)
        bundles = Bundles(
            self.settings,
            {"listen": "default"},
            self.environ,
            self.journal.statistics,
            self._health,
            self.rig.clock.now_s,
        )
        return OnDemand(whatifs, bundles)

    def _health(self) -> JournalHealth:
        return self.journal.health

    def bridge(self, work: Coroutine[Any, Any, T]) -> T:
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30.0)


async def _in_a_thread(question: Question) -> Answered | ForesailError:
    return await asyncio.to_thread(answered, question)


@asynccontextmanager
async def staged(
    folder: Path,
    *names: str,
    access: Access | None = None,
    open_reading: bool = True,
    ticks: int = 2,
    answer: Callable[[Question], Awaitable[Answered | ForesailError]] | None = None,
    **spec: object,
) -> AsyncIterator[Stage]:
    """A stage with workloads shop/NAME under load, after some ticks, served on loopback."""
    folder.joinpath("tokens").write_text(f"# who may act\n{PERSON} {TOKEN}\n")
    url = f"sqlite+aiosqlite:///{folder / 'journal.db'}"
    journal = await Journal.open(url)
    try:
        rig = Rig(ListedPolicies([policy(name, **spec) for name in names or ("web", "api")]), journal)
        rig.source.load = {each.metadata.name: 30.0 for each in rig.policies.policies}
        stage = Stage(rig, journal, access=access or TokenFile(folder / "tokens"), open_reading=open_reading)
        stage.answer, stage.journal_url = answer, url
        stage.settings = Settings(auth_token_file=folder / "tokens", journal_url=url)
        for _ in range(ticks):
            await stage.tick()
        guard = Guard(Sessions(rig.clock), stage.access, open_reading=open_reading)
        app = web_app(stage.views(), guard=guard, actions=stage.actions(), hub=stage.hub, on_demand=stage.on_demand())
        async with serving(app, Listen("127.0.0.1", 0)) as url:
            stage.url = url
            yield stage
    finally:
        await journal.close()


@contextmanager
def running(folder: Path, *names: str, ticks: int = 2) -> Iterator[Stage]:
    """The same in a thread of its own."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Stage] = []

    async def serve() -> None:
        async with staged(folder, *names, ticks=ticks) as stage:
            stage.loop = asyncio.get_running_loop()
            found.append(stage)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(30.0)
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join(30.0)

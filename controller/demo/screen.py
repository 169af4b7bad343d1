"""What the demo shows: a live table on a terminal, one line per change elsewhere, and a summary at the end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from controller.demo.load import LATE, NAMESPACE, SERVING_LIMIT
from policies.explain import sentences, steps_of
from policies.model import Status
from simulations.serving import HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from controller.demo.servers import ModelServers
    from controller.records import Outcome, TickReport

RECENT = 8
NOT_KNOWN = "-"
COLUMNS = ("workload", "load (req/s)", "demand", "forecast", "ready / wanted", "late", "last change, and why")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of scale that was carried out."""

    at_s: float
    workload: str
    before: int
    after: int
    reason: str

    def __str__(self) -> str:
        return f"{clock_text(self.at_s)}  {self.workload:<8} {self.before:>2} -> {self.after:<2}  {self.reason}"


@dataclass(slots=True)
class Screen:
    """Takes the report of every tick, and shows."""

    console: Console
    servers: ModelServers
    heading: str
    plain: bool
    report: TickReport | None = None
    changes: list[Change] = field(default_factory=list)
    recent: deque[Change] = field(default_factory=lambda: deque(maxlen=RECENT))
    _problems: tuple[str, ...] = ()

    def take(self, report: TickReport) -> None:
        """Take the report of a tick."""
        self.report = report
        for change in changes_of(report):
            self.changes.append(change)
            self.recent.appendleft(change)
            if self.plain:
                self.say(str(change))
        if self.plain and report.problems != self._problems:
            for problem in report.problems:
                self.say(f"{clock_text(report.at_s)}  {problem}")
        self._problems = report.problems

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def __rich__(self) -> RenderableType:
        """The live table with the recent changes below it."""
        if self.report is None:
            return Text(f"{self.heading}\nwaiting for the first tick")
        head = Text(f"{clock_text(self.report.at_s)} simulated, {self.heading}", style="bold")
        notes = [Text(line, style="dim") for line in self._notes(self.report)]
        recent = [Text(str(change), no_wrap=True, overflow="ellipsis") for change in self.recent]
        return Group(head, self._table(self.report), *notes, Text(), Text("Recent decisions", style="bold"), *recent)

    def _table(self, report: TickReport) -> Table:
        table = Table(expand=True)
        for column in COLUMNS[:-1]:
            table.add_column(column, justify="left" if column == COLUMNS[0] else "right", no_wrap=True)
        table.add_column(COLUMNS[-1], ratio=1)
        last = {change.workload: change for change in self.changes}
        for lane, target in enumerate(report.targets):
            change = last.get(target.name)
            why = f"{clock_text(change.at_s)}  {change.reason}" if change else reason_of(report, lane)
            late = f"{self.servers.late_ratio_of(target.name):.2%}"
            table.add_row(target.name, *figures_of(report, lane), self._replicas(report, lane), late, why)
        return table

    def _replicas(self, report: TickReport, lane: int) -> str:
        target = report.targets[lane]
        view = self.servers.cluster.view().targets.get(target)
        return f"{self.servers.cluster.ready(target)} / {view.spec_replicas if view else NOT_KNOWN}"

    def _notes(self, report: TickReport) -> Iterator[str]:
        yield (
            f"demand, forecast: in replicas loaded to {SERVING_LIMIT:.0%} (the serving limit); the forecast has its "
            "margin and is for the time at which a replica started now is ready"
        )
        if not report.decision.forecast.known.all():
            yield f"forecast {NOT_KNOWN}: the past week is being read; the Kubernetes rule acts until then"
        limits = report.fleet.limits
        minutes = limits.removal_window_s / 60
        yield f"fleet breaker: at most {limits.removal_ratio:.0%} of all replicas may go in {minutes:g} minutes"
        yield from report.problems

    def summary(self, elapsed_s: float) -> Iterator[str]:
        """What the time that was shown came to, a line each."""
        raised = sum(change.after > change.before for change in self.changes)
        usage = self.servers.usage.values()
        used_h = sum(each.replica_s for each in usage) / HOUR_S
        fixed_h = sum(each.needed for each in usage) * elapsed_s / HOUR_S
        yield (
            f"{elapsed_s / HOUR_S:.1f} simulated hours: {len(self.changes)} scaling decisions carried out "
            f"({raised} raised, {len(self.changes) - raised} lowered)."
        )
        if fixed_h > 0:
            yield (
                f"Replica-hours used: {used_h:.1f}. A fleet fixed at each workload's highest need would have used "
                f"{fixed_h:.1f} ({used_h / fixed_h - 1:+.0%})."
            )
        yield f"Late: {self.servers.late_ratio:.2%} of requests (each policy's objective: {LATE:.0%})."


def changes_of(report: TickReport) -> Iterator[Change]:
    """The changes that a tick carried out."""
    lane_of = {uid: lane for lane, uid in enumerate(report.fleet.uid)}
    for outcome in report.outcomes:
        if outcome.result == "applied" and outcome.order.uid in lane_of:
            yield _change(outcome, reason_of(report, lane_of[outcome.order.uid]))


def _change(outcome: Outcome, reason: str) -> Change:
    order = outcome.order
    return Change(outcome.at_s, order.uid.removeprefix(f"{NAMESPACE}/"), order.before, order.after, reason)


def reason_of(report: TickReport, lane: int) -> str:
    """The sentence of the rule that had the last word; what was decided where no rule asked for a change."""
    told = sentences(report.fleet, report.seen, report.decision, lane)
    return told[-2] if steps_of(report.decision, lane) else told[-1]


def figures_of(report: TickReport, lane: int) -> Sequence[str]:
    """Load in requests a second, demand and forecast in replicas, of one lane."""
    decision = report.decision
    track = int(report.fleet.tracks.lane.searchsorted(lane))  # arrivals come first
    read = decision.readings.status[track] != Status.MISSING
    return (
        f"{decision.readings.value_milli[track] / 1000:.1f}" if read else NOT_KNOWN,
        f"{decision.demand[lane]:.1f}" if decision.demand_known[lane] else NOT_KNOWN,
        f"{decision.forecast.upper[lane]:.1f}" if decision.forecast.known[lane] else NOT_KNOWN,
    )


def clock_text(at_s: float) -> str:
    """A simulated moment, as in Tue 08:05."""
    return f"{datetime.fromtimestamp(at_s, UTC):%a %H:%M}"

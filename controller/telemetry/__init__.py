"""What Foresail exports about itself: a projection of what each tick did, in a registry of its own."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np
import prometheus_client
from prometheus_client.exposition import choose_encoder

from controller.records import FLEET
from controller.telemetry import budgets, outlook, placement, sizes
from controller.telemetry.changes import Changes
from controller.telemetry.sizes import Wrote
from controller.telemetry.workloads import ready_replicas, workload_text
from policies import signals
from policies.forecast import exported as foretold
from policies.metric import Counter, Gauge, Histogram
from policies.model import RULES, Action, Hold, Kind, Status
from policies.resources import exported as sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from controller.records import Publication, SizedWorkload, TickReport
    from policies.metric import Metric

__all__ = ["SAFE_MODES", "STALE_TICKS", "JournalState", "Telemetry", "Wrote", "ready_replicas", "safe_modes"]

STALE_TICKS = 4  # after so many intervals without a tick, its figures are no longer shown as the present ones
SOURCES = ("prometheus",)
PHASES = ("observe", "collect", "decide", "record", "act", "tick")
RESULTS = ("applied", "conflict", "rejected", "unavailable")
PUBLISH_RESULTS = ("created", "updated", "deleted", "unchanged", "kept", "conflict", "rejected", "unavailable")
MESSAGE_RESULTS = ("delivered", "dropped", "rejected")
SAFE_MODES = ("kill_switch", "cluster_down", "no_fresh_data", "paused_by_operator")
ACTIONS = ("pause", "resume", "override")
LOST = ("slow", "too_many")

_END = b"# EOF\n"


class Listeners(Protocol):
    """What the stream of events tells of its clients."""

    @property
    def clients(self) -> int:
        """How many listen."""

    @property
    def dropped(self) -> int:
        """How many were too slow."""

    @property
    def refused(self) -> int:
        """How many were too many."""


class JournalState(Protocol):
    """What the journal tells of itself."""

    @property
    def pending(self) -> int:
        """Writes that wait."""

    @property
    def dropped(self) -> int:
        """Ticks whose observation was given up."""

    @property
    def failures(self) -> int:
        """Writes that failed."""

    @property
    def last_write_at_s(self) -> float | None:
        """Wall time of the last write."""


@dataclass(frozen=True, slots=True)
class About:
    """What runs, since when, and after how long a tick's figures are no longer shown as the present ones."""

    version: str
    started_at_s: float
    stale_after_s: float


class Telemetry:
    """The metrics of `policies.signals`. Metrics of workloads vanish with their policy, or when ticks stop."""

    def __init__(self, about: About, now_s: Callable[[], float]) -> None:
        """Start with every known label set at zero. `now_s` tells wall time."""
        self.registry = prometheus_client.CollectorRegistry(auto_describe=False)
        self._about, self._now_s = about, now_s
        self._shown: TickReport | None = None
        self._problems: tuple[str, ...] = ()
        self._journal = (0, 0)
        self._changes = Changes()
        self._lost = (0, 0)
        self._made = {metric.name: _made(metric, self.registry) for metric in _OWN}
        self._gauge(signals.BUILD, about.version, platform.python_version()).set(1)
        self._gauge(signals.STARTED).set(about.started_at_s)
        self._begin()

    def show(self, report: TickReport) -> None:
        """Show what a tick did, from now on and until the next."""
        self._changes.take(report)
        self._shown = report
        self._count_decisions(report)
        for zone, lost in placement.interruptions(report).items():
            self._counter(signals.SPOT_INTERRUPTIONS, zone).inc(lost)
        self._show_policies(report)
        self._show_sources(report)
        for phase, seconds in report.phases_s.items():
            self._histogram(signals.LOOP_DURATION, phase).observe(seconds)
        for outcome in report.outcomes:
            self._counter(signals.ACTUATIONS, "scale", outcome.result).inc()
            if outcome.result == "conflict":
                self._counter(signals.CONFLICTS).inc()
        for reason, on in zip(SAFE_MODES, safe_modes(report), strict=True):
            self._gauge(signals.SAFE_MODE, reason).set(on)
        self._gauge(signals.REMOVAL_BUDGET).set(report.decision.removal_budget)
        self._gauge(signals.QUARANTINED).set(len(report.quarantined))
        for metric in _OF_FLEET:
            self._made[metric.name].clear()
        for gauge, labels, value in (
            *outlook.of_fleet(report),
            *budgets.used(report),
            *_bound(report),
            *_until(report),
        ):
            self._gauge(gauge, *labels).set(value)
        self._gauge(signals.LOOP_LAST_SUCCESS).set(self._now_s())

    def show_sizes(self, at_s: float, workloads: Sequence[SizedWorkload], wrote: Wrote) -> None:
        """Show what containers should request, and how the writes of that ended."""
        for metric in (sized.CORES, sized.BYTES):
            self._made[metric.name].clear()
        for gauge, labels, value in sizes.by_container(workloads):
            self._gauge(gauge, *labels).set(value)
        for labels, count in sizes.by_method(workloads):
            self._gauge(sized.METHOD, *labels).set(count)
        self._gauge(sized.UNREAD).set(wrote.unread)
        for result, count in wrote.statuses.items():
            self._counter(sized.WRITES, result).inc(count)
        self._counter(sized.CHECKPOINTS).inc(wrote.checkpoints)
        self._gauge(sized.LAST_SUCCESS).set(at_s)

    def expect_publishing(self, targets: Sequence[str]) -> None:
        """Start the series of these targets at zero."""
        for target in targets:
            self._gauge(signals.PUBLISH_LAST_SUCCESS, target)
            for result in PUBLISH_RESULTS:
                self._counter(signals.PUBLISH_WRITES, target, result)

    def show_published(self, target: str, done: Sequence[Publication], *, well: bool) -> None:
        """Count what became of what is published to a target."""
        for each in done:
            self._counter(signals.PUBLISH_WRITES, target, each.result).inc()
        if well:
            self._gauge(signals.PUBLISH_LAST_SUCCESS, target).set(self._now_s())

    def count_messages(self, result: str, count: int) -> None:
        """Count messages for the webhook that came to an end."""
        self._counter(signals.MESSAGES, result).inc(count)

    def show_messages(self, pending: int) -> None:
        """Show how many messages wait for the webhook."""
        self._gauge(signals.MESSAGES_PENDING).set(pending)

    def show_journal(self, journal: JournalState) -> None:
        """Show how the journal fares."""
        failures, dropped = self._journal
        self._counter(signals.JOURNAL_WRITE_FAILURES).inc(max(0, journal.failures - failures))
        self._counter(signals.JOURNAL_DROPPED).inc(max(0, journal.dropped - dropped))
        self._journal = (journal.failures, journal.dropped)
        self._gauge(signals.JOURNAL_PENDING).set(journal.pending)
        if journal.last_write_at_s is not None:
            self._gauge(signals.JOURNAL_LAST_WRITE).set(journal.last_write_at_s)

    def count_action(self, kind: str, result: str) -> None:
        """Count what somebody asked for: pause, resume or override, done or refused."""
        self._counter(signals.OPERATOR_ACTIONS, kind, result).inc()

    def show_listeners(self, listeners: Listeners) -> None:
        """Show who listens to the events."""
        self._gauge(signals.EVENT_CLIENTS).set(listeners.clients)
        for reason, lost, before in zip(LOST, (listeners.dropped, listeners.refused), self._lost, strict=True):
            self._counter(signals.EVENT_CLIENTS_LOST, reason).inc(lost - before)
        self._lost = listeners.dropped, listeners.refused

    def count_unhandled_error(self) -> None:
        """Count a fault that only the loop's supervisor caught."""
        self._counter(signals.UNHANDLED_ERRORS).inc()

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where `accept` asks for it, else Prometheus text.

        Safe to call in another thread; takes some 0.3 s for 10,000 workloads.
        """
        encode, content_type = choose_encoder(accept)
        text = encode(self.registry)
        shown = self._shown
        if shown is None or self._now_s() - shown.at_s > self._about.stale_after_s:
            return text, content_type
        workloads = workload_text(shown, self._changes).encode()
        if text.endswith(_END):
            return text.removesuffix(_END) + workloads + _END, content_type
        return text + workloads, content_type

    def _begin(self) -> None:
        for metric, labels in _FROM_THE_START:
            self._made[metric.name].labels(*labels)

    def _count_decisions(self, report: TickReport) -> None:
        plan = report.decision.replicas
        codes = plan.action.astype(np.int64) * len(RULES) + plan.reason
        counts = np.bincount(codes, minlength=len(Action) * len(RULES))
        for code in np.flatnonzero(counts).tolist():
            action, rule = divmod(code, len(RULES))
            self._counter(signals.DECISIONS, Action(action).name.lower(), RULES[rule]).inc(int(counts[code]))

    def _show_policies(self, report: TickReport) -> None:
        policies = report.policies
        self._gauge(signals.POLICIES, "valid").set(len(policies.policies))
        self._gauge(signals.POLICIES, "invalid").set(len(policies.problems))
        if policies.problems and policies.problems != self._problems:
            self._counter(signals.POLICY_RELOAD_FAILURES).inc()
        self._problems = policies.problems
        self._made[signals.CONFIG_HASH.name].clear()
        self._gauge(signals.CONFIG_HASH, policies.digest[:16]).set(1)

    def _show_sources(self, report: TickReport) -> None:
        for source in report.sources:
            self._counter(signals.SOURCE_QUERIES, source.name, "success").inc(source.queries - source.failed)
            self._counter(signals.SOURCE_QUERIES, source.name, "failure").inc(source.failed)
            self._histogram(signals.SOURCE_QUERY_DURATION, source.name).observe(source.elapsed_s)
        readings = report.decision.readings
        there = readings.status != Status.MISSING
        if len(report.sources) == 1 and there.any():
            newest_s = report.at_s - float(readings.age_s[there].min())
            self._gauge(signals.SOURCE_LAST_SAMPLE, report.sources[0].name).set(newest_s)

    def _counter(self, metric: Counter, *labels: str) -> prometheus_client.Counter:
        made = self._made[metric.name]
        found = made.labels(*labels) if labels else made
        if not isinstance(found, prometheus_client.Counter):
            raise TypeError(f"{metric.name} is no counter")
        return found

    def _gauge(self, metric: Gauge, *labels: str) -> prometheus_client.Gauge:
        made = self._made[metric.name]
        found = made.labels(*labels) if labels else made
        if not isinstance(found, prometheus_client.Gauge):
            raise TypeError(f"{metric.name} is no gauge")
        return found

    def _histogram(self, metric: Histogram, *labels: str) -> prometheus_client.Histogram:
        made = self._made[metric.name]
        found = made.labels(*labels) if labels else made
        if not isinstance(found, prometheus_client.Histogram):
            raise TypeError(f"{metric.name} is no histogram")
        return found


_OF_FLEET = (
    *(signals.BUDGET_USED, signals.SIGNAL_BOUND, signals.INTERVENTION_UNTIL),
    *(foretold.OUTLOOK_MODELS, foretold.OUTLOOK_DEMOTED, foretold.OUTLOOK_COVERAGE, foretold.OUTLOOK_ERROR),
)
_FROM_THE_START: tuple[tuple[Metric, tuple[str, ...]], ...] = (
    *((signals.LOOP_DURATION, (phase,)) for phase in PHASES),
    *((signals.SOURCE_QUERY_DURATION, (source,)) for source in SOURCES),
    *((signals.SOURCE_QUERIES, each) for each in product(SOURCES, ("success", "failure"))),
    *((signals.DECISIONS, each) for each in product([action.name.lower() for action in Action], RULES)),
    *((signals.ACTUATIONS, ("scale", result)) for result in RESULTS),
    *((sized.WRITES, (result,)) for result in sizes.RESULTS),
    *((sized.METHOD, labels) for labels in sizes.SPOKE),
    *((signals.MESSAGES, (result,)) for result in MESSAGE_RESULTS),
    *((signals.SAFE_MODE, (reason,)) for reason in SAFE_MODES),
    *((signals.POLICIES, (state,)) for state in ("valid", "invalid")),
    *((signals.OPERATOR_ACTIONS, each) for each in product(ACTIONS, ("done", "refused"))),
    *((signals.EVENT_CLIENTS_LOST, (reason,)) for reason in LOST),
)  # series that are there before anything happens
_OWN = tuple(metric for metric in signals.EXPORTED if metric not in signals.BY_WORKLOAD)

Made = prometheus_client.Counter | prometheus_client.Gauge | prometheus_client.Histogram


def _made(metric: Metric, registry: prometheus_client.CollectorRegistry) -> Made:
    match metric:
        case Counter():
            return prometheus_client.Counter(metric.name, metric.help, metric.labels, registry=registry)
        case Gauge():
            return prometheus_client.Gauge(metric.name, metric.help, metric.labels, registry=registry)
        case Histogram():
            return prometheus_client.Histogram(
                metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
            )


def _bound(report: TickReport) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """What quantities are read from."""
    for quantity, metrics in report.gpus.binding.items() if report.gpus is not None else ():
        yield signals.SIGNAL_BOUND, (f"gpu_{quantity}", metrics), 1.0
    read = {(each.preset, metric) for each in report.bindings.values() for metric in each.metrics or ()}
    for preset, metric in sorted(read):
        yield signals.SIGNAL_BOUND, (preset, metric), 1.0


def _until(report: TickReport) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    """When what people told ends."""
    for told in report.interventions.values():
        namespace, _, name = told.uid.partition("/")
        yield signals.INTERVENTION_UNTIL, (namespace, name, told.kind), told.until_s


def safe_modes(report: TickReport) -> tuple[bool, bool, bool, bool]:
    """In the order of `SAFE_MODES`."""
    held, readings = report.seen.hold, report.decision.readings
    asks = report.fleet.tracks.kind != Kind.LATE
    killed = report.killed is not None or bool((held == Hold.KILL_SWITCH).any())
    down = bool((held == Hold.CLUSTER_DOWN).any())
    blind = (readings.status == Status.MISSING) | (readings.status == Status.STALE)
    return killed, down, bool(asks.any()) and bool(blind[asks].all()), FLEET in report.interventions

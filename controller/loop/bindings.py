"""Which metric each signal with a preset is read from, workload by workload: looked at now and then, beside the ticks.

A preset's query holds all its candidates, so what is told is for people and never enters a decision.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.records import SignalQuery
from policies.presets.lint import preset_of
from policies.presets.model import Binding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.ports import Clock, MetricsSource
    from controller.records import PolicySet
    from policies.presets.model import Preset
    from policies.spec import WorkloadPolicy

log = structlog.get_logger("foresail.bindings")

LOOK_EVERY_S = 300.0
FORGET_S = 3 * LOOK_EVERY_S  # after so long without an answer nothing is told
DEADLINE_S = 10.0
METRIC = "foresail_metric"  # the label under which a query answers with the name of a metric


@dataclass(frozen=True, slots=True)
class Bound:
    """A signal with a preset: `uid` as `namespace/workload/signal`, and the labels that select its series."""

    uid: str
    preset: Preset
    match: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class BindingWatch:
    """Asks a metrics source which of the presets' metrics have series, by the labels that workloads are found by."""

    source: MetricsSource
    clock: Clock
    _digest: str | None = None
    _signals: tuple[Bound, ...] = ()
    _found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by uid, of signals that were looked for
    _known: Mapping[str, Binding] = field(default_factory=dict)
    _looked_at_s: float = -np.inf
    _told_at_s: float = -np.inf
    _task: asyncio.Task[None] | None = None

    def look_when_due(self, policies: PolicySet) -> None:
        """Ask anew when that is due or policies changed; nothing is asked while no signal names a preset."""
        now_s = self.clock.now_s()
        if self._task is not None and self._task.done():
            fault, self._task = None if self._task.cancelled() else self._task.exception(), None
            if fault is not None:
                log.warning("bindings of signals not looked at", err=str(fault))
        if policies.digest != self._digest:
            self._digest, self._signals, self._looked_at_s = policies.digest, bound_signals(policies), -np.inf
            self._take(self._found)
        due = now_s - self._looked_at_s >= LOOK_EVERY_S or now_s < self._looked_at_s
        if self._task is None and due and self._signals:
            self._looked_at_s = now_s
            self._task = asyncio.create_task(self._look(self._signals, now_s), name="bindings")

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def known(self) -> Mapping[str, Binding]:
        """By `namespace/workload/signal`: what each signal with a preset is read from, as far as it is known now."""
        if self._found and self.clock.now_s() - self._told_at_s > FORGET_S:
            self._take({})
        return self._known

    def _take(self, found: Mapping[str, tuple[str, ...]]) -> None:
        self._found = found
        self._known = {each.uid: Binding(each.preset.name, found.get(each.uid)) for each in self._signals}

    async def _look(self, signals: Sequence[Bound], at_s: float) -> None:
        """Ask, and keep what is answered. Raises ForesailError."""
        self._take(await bindings(self.source, signals, at_s))
        self._told_at_s = at_s


async def bindings(source: MetricsSource, signals: Sequence[Bound], at_s: float) -> dict[str, tuple[str, ...]]:
    """The metrics that each signal is read from, by its uid; one query for each set of labels. Raises ForesailError."""
    found: dict[str, tuple[str, ...]] = {}
    for query, asked in queries_of(signals):
        # As a past of one moment, so that it does not take turns with the queries of ticks.
        past = await source.past(query, start_s=at_s, end_s=at_s, step_s=1.0, deadline_s=DEADLINE_S)
        there: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for series in past:
            there[series.key[1:]].add(series.key[0])
        for each in asked:
            present = there.get(tuple(value for _, value in each.match), frozenset[str]())
            found[each.uid] = each.preset.read_from(present)
    return found


def bound_signals(policies: PolicySet) -> tuple[Bound, ...]:
    """The signals that name a preset."""
    return tuple(each for policy in policies.policies for each in _of(policy))


def queries_of(signals: Sequence[Bound]) -> Iterator[tuple[SignalQuery, Sequence[Bound]]]:
    """One query for all signals that are found by the same labels, and those signals.

    It answers by `METRIC` and these labels; of histograms one bucket a series is counted.
    """
    groups: defaultdict[tuple[str, ...], list[Bound]] = defaultdict(list)
    for each in signals:
        groups[tuple(label for label, _ in each.match)].append(each)
    for labels, group in groups.items():
        yield count_query(group, labels), group


def count_query(signals: Sequence[Bound], labels: tuple[str, ...], more: str = "") -> SignalQuery:
    """How many series the presets of these signals have by `METRIC` and labels; `more` matchers may narrow them."""
    names = sorted({name for each in signals for name in each.preset.metrics()})
    selector = f'{{__name__=~"{"|".join(names)}",le=~"|[+]Inf"{more}}}'
    by = ", ".join((METRIC, *labels))
    text = f'count by ({by}) (label_replace({selector}, "{METRIC}", "$1", "__name__", "(.+)"))'
    return SignalQuery(text, (METRIC, *labels))


def _of(policy: WorkloadPolicy) -> Iterator[Bound]:
    for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True):
        if (preset := preset_of(signal)) is not None:
            yield Bound(f"{policy.uid}/{bound.signal}", preset, bound.match)

"""Each policy's signals, read as the daemon reads them: by the same questions, witnesses and rules of freshness."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.adapters.prometheus.present import read_present
from controller.collect import Collector
from controller.collect.collector import News
from controller.doctor.finding import Finding, Severity, well
from controller.errors import ForesailError
from controller.loop.bindings import DEADLINE_S, bindings, bound_signals, count_query
from controller.records import Unanswered
from policies.fleet import fleet_of
from policies.hpa.pods import listed_pods, ready_pods
from policies.model import Kind, Status, Why
from policies.presets.lint import lint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.clients.http import HttpAccess
    from controller.loop.bindings import Bound
    from controller.ports import MetricsSource
    from controller.records import Answer, ClusterView, PolicySet
    from policies.model import Fleet, Observation
    from policies.presets.model import Preset

_CHECK = "signals"
_AS_WRITTEN = "The signal will not do what it seems to do."
_SIGHT = "Run the query in Prometheus' own page, and see its labels."
_SAID: Mapping[Why, tuple[str, str]] = {
    Why.NO_SERIES: (
        "no series answers",
        "See that the exporter is scraped, and that the query's labels and those in `match` are those of its series.",
    ),
    Why.SOURCE_DOWN: ("Prometheus does not answer", "See the findings about Prometheus."),
    Why.BAD_QUERY: ("Prometheus refuses the query", "Correct the query; the message says where."),
    Why.DEADLINE: ("no answer in time", "Put a recording rule behind the query, or raise --prometheus-timeout."),
    Why.TOO_OLD: (
        "its newest sample is too old",
        "See that the target is up (`up`) and scraped at least every minute, and its clock if it stamps its samples.",
    ),
    Why.FROM_THE_FUTURE: ("its newest sample is from the future", "Let all machines follow NTP."),
    Why.PARTIAL_SERIES: (
        "only some of its scrape targets answer",
        "See which pods or exporters lack in `up`; until they are back the reading is a lower bound.",
    ),
    Why.NOT_FINITE: ("it is no number", "A division by zero is the usual cause: divide by clamp_min(..., 1), say."),
    Why.AMBIGUOUS: ("more than one series answers", "Aggregate with sum or max, or select one with `match`."),
    Why.UNKNOWN_FRESHNESS: (
        "how old its samples are cannot be told",
        "Select from at least one series in the query, so that its age can be seen.",
    ),
}


async def examine_signals(
    policies: PolicySet, source: MetricsSource, view: ClusterView, *, at_s: float, deadline_s: float
) -> list[Finding]:
    """Ask each distinct query once, and say of each signal whether it can decide now."""
    if not policies.policies:
        return []
    fleet, collector = fleet_of(policies.policies), Collector(source)
    collector.prepare(policies)
    answers = await collector.ask(at_s=at_s, deadline_s=deadline_s)
    seen = collector.observation(fleet, answers, view, at_s, News())
    refused, tracks = _refused(collector, answers), range(fleet.tracks.lane.size)
    tried, presets = await _of_presets(policies, source, at_s)
    names = [signal.name for signal in collector.questions.signals]
    words = [refused.get(track) or tried.get(fleet.tracks.uid[track].partition("#")[0], "") for track in tracks]
    found = [each for track in tracks if (each := _of(track, fleet, seen, names[track], words[track]))]
    fresh = [] if found else [well(_CHECK, "signals", f"all {len(tracks)} are fresh")]
    return [*found, *fresh, *presets]


async def examine_written(policies: PolicySet, access: HttpAccess) -> list[Finding]:
    """What of the signals cannot work as written, by what Prometheus has. Raises ForesailError where it cannot tell."""
    if not policies.policies:
        return []
    # Requests that are lacking are told of the pods themselves: Prometheus need not know of them.
    present = replace(await read_present(access, policies.policies), unrequested={})
    return [
        Finding("policies", Severity.WARNING, policy.uid, f"{each.path}: {each.meaning}", _AS_WRITTEN, f"{each.mend}.")
        for policy in policies.policies
        for each in lint(policy, present)
    ]


async def _of_presets(
    policies: PolicySet, source: MetricsSource, at_s: float
) -> tuple[Mapping[str, str], Sequence[Finding]]:
    """What is bound, or was tried, by `namespace/workload/signal`, and findings about the metrics."""
    signals = bound_signals(policies)
    try:
        read = await bindings(source, signals, at_s)
        overwritten = await _overwritten(source, signals, at_s)
    except ForesailError:
        return {}, ()  # why there is no answer is told of each signal
    return {each.uid: _tried(each.preset, read[each.uid]) for each in signals}, [*_bound(signals, read), *overwritten]


def _bound(signals: Sequence[Bound], read: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    """What presets are read from, and in how many signals."""
    counts = Counter((each.preset.name, metrics) for each in signals if (metrics := read[each.uid]))
    return [
        well(_CHECK, preset, f"is read from {' and '.join(metrics)} in {count} signal{'s' if count > 1 else ''}")
        for (preset, metrics), count in sorted(counts.items())
    ]


async def _overwritten(source: MetricsSource, signals: Sequence[Bound], at_s: float) -> list[Finding]:
    """Metrics of presets whose own labels were renamed at the scrape, so that no workload is found by them."""
    if not signals:
        return []
    query = count_query(signals, (), ',exported_namespace!=""')
    past = await source.past(query, start_s=at_s, end_s=at_s, step_s=1.0, deadline_s=DEADLINE_S)
    means = "Its series are found under the exporter's own namespace and pod: presets see no workload, or a wrong one."
    mend = "Set honor_labels: true on the exporter's scrape job (honorLabels: true on its ServiceMonitor)."
    told = "has its labels as exported_namespace: they were overwritten at the scrape"
    return [Finding(_CHECK, Severity.WARNING, series.key[0], told, means, mend) for series in past]


def _tried(preset: Preset, metrics: tuple[str, ...]) -> str:
    """Which candidate is bound, or which were tried."""
    if metrics:
        return f"{preset.name} is read from {' and '.join(metrics)}"
    return f"{preset.name} has none of {', '.join(preset.candidate_names())} under the labels in match"


def _refused(collector: Collector, answers: Sequence[Answer]) -> dict[int, str]:
    """What the server said of the query of each track, where it did not answer."""
    return {
        int(track): answer.message
        for group, answer in zip(collector.questions.groups, answers, strict=True)
        if isinstance(answer, Unanswered)
        for track in group.tracks
    }


def _of(track: int, fleet: Fleet, seen: Observation, signal: str, words: str) -> Finding | None:
    why, lane = Why(int(seen.readings.why[track])), int(fleet.tracks.lane[track])
    if Status(int(seen.readings.status[track])) == Status.FRESH:
        return None
    said, mend = _SAID.get(why, (why.name.lower().replace("_", " "), _SIGHT))
    uid, told = fleet.uid[lane], f"signal {signal}: {said}{f' ({words})' if words else ''}"
    if why == Why.NO_SERIES and not listed_pods(seen.pods, fleet.lanes)[lane]:
        message = f"{told}; the workload has no pod now"
        return Finding(_CHECK, Severity.WARNING, uid, message, "It decides nothing until pods run.", mend)
    message = f"{told}; {int(ready_pods(seen.pods, fleet.lanes)[lane])} pods are ready"
    if fleet.tracks.kind[track] == Kind.LATE:
        return Finding(_CHECK, Severity.WARNING, uid, message, "How late requests are is not measured.", mend)
    means = "While it is so the signal may raise or hold the workload, and never lowers it."
    return Finding(_CHECK, Severity.ERROR, uid, message, means, mend)

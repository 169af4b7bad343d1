"""What to ask for each autoscaler: the metric that is replayed, its query, and the queries that many share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from controller.audit import queries
from controller.records import SignalQuery
from simulations.audit.autoscaler import About, Finding, NamedMetric, OtherMetric, QueryMetric, ResourceMetric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from simulations.audit.autoscaler import Autoscaler, Metric

Key = tuple[str, ...]

TOGETHER = 100  # workloads in one query at most


@dataclass(frozen=True, slots=True)
class Ask:
    """Where one figure of a workload is found: a query, and the key of its series in the answer."""

    query: SignalQuery
    key: Key


@dataclass(frozen=True, slots=True)
class Load:
    """How a workload's load is asked. `policy_query` is the same for its policy; `metric` what it stems from."""

    scaled: Autoscaler
    metric: ResourceMetric | NamedMetric | QueryMetric
    ask: Ask
    policy_query: str
    unit: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Cannot:
    """A workload whose load cannot be asked, and why."""

    scaled: Autoscaler
    why: str


def planned(scaled: Sequence[Autoscaler], present: Mapping[str, bool], asked_at: str) -> list[Load | Cannot]:
    """How each workload's load is asked, in their order. `present`: which series exist; `asked_at`: the server."""
    chosen = [(each, _chosen(each)) for each in scaled]
    shared = {**_cpu(chosen), **_pods(chosen, present)}
    return [_load(each, metric, shared, present, asked_at) for each, metric in chosen]


def names_to_look_for(scaled: Iterable[Autoscaler]) -> list[str]:
    """The series that named metrics may come from."""
    named = (metric for each in scaled for metric in each.metrics if isinstance(metric, NamedMetric))
    return sorted({name for metric in named for name, _ in queries.candidates(metric.name)})


def together(
    scaled: Sequence[Autoscaler], make: Callable[[Sequence[Autoscaler]], SignalQuery], key: Callable[[Autoscaler], Key]
) -> dict[Autoscaler, Ask]:
    """One query for up to a hundred workloads of one kind of target."""
    made: dict[Autoscaler, Ask] = {}
    by_kind: dict[str, list[Autoscaler]] = defaultdict(list)
    for each in scaled:
        by_kind[each.target_kind].append(each)
    for group in by_kind.values():
        for first in range(0, len(group), TOGETHER):
            part = group[first : first + TOGETHER]
            query = make(part)
            made |= {each: Ask(query, key(each)) for each in part}
    return made


def by_target(each: Autoscaler) -> Key:
    """The key of a workload in answers by namespace and workload."""
    return (each.namespace, each.target_name)


def by_hpa(each: Autoscaler) -> Key:
    """The key of a workload in answers by namespace and autoscaler."""
    return (each.namespace, queries.hpa_name(each))


def _chosen(scaled: Autoscaler) -> Metric | None:
    """The first metric that can be replayed; those that bring a query or a name before use of a resource."""
    able = [metric for metric in scaled.metrics if not isinstance(metric, OtherMetric)]
    return next((metric for metric in able if not isinstance(metric, ResourceMetric)), able[0] if able else None)


def _cpu(chosen: Sequence[tuple[Autoscaler, Metric | None]]) -> dict[Autoscaler, Ask]:
    by_container: dict[str | None, list[Autoscaler]] = defaultdict(list)
    for each, metric in chosen:
        if isinstance(metric, ResourceMetric):
            by_container[metric.container].append(each)
    made: dict[Autoscaler, Ask] = {}
    for container, group in by_container.items():
        made |= together(group, lambda part, of=container: queries.cpu(part, of), by_target)  # type: ignore[misc]  # a default binds the loop's value
    return made


def _pods(chosen: Sequence[tuple[Autoscaler, Metric | None]], present: Mapping[str, bool]) -> dict[Autoscaler, Ask]:
    by_series: dict[tuple[str, bool], list[Autoscaler]] = defaultdict(list)
    for each, metric in chosen:
        if isinstance(metric, NamedMetric) and metric.source == "Pods" and (found := _series(metric, present)):
            by_series[found].append(each)
    made: dict[Autoscaler, Ask] = {}
    for (name, counter), group in by_series.items():
        make = _maker(name, counter=counter)
        made |= together(group, make, by_target)
    return made


def _maker(name: str, *, counter: bool) -> Callable[[Sequence[Autoscaler]], SignalQuery]:
    return lambda part: queries.by_pods(name, part, counter=counter)


def _series(metric: NamedMetric, present: Mapping[str, bool]) -> tuple[str, bool] | None:
    return next((found for found in queries.candidates(metric.name) if present.get(found[0])), None)


def _load(
    scaled: Autoscaler,
    metric: Metric | None,
    shared: Mapping[Autoscaler, Ask],
    present: Mapping[str, bool],
    asked_at: str,
) -> Load | Cannot:
    match metric:
        case None | OtherMetric():
            return Cannot(scaled, _no_metric(scaled))
        case ResourceMetric():
            by_pod = metric.target_ratio is not None
            query = queries.cpu_of_policy(scaled, metric.container, by_pod=by_pod)
            return Load(scaled, metric, shared[scaled], query, "cores", _others(scaled, metric))
        case NamedMetric():
            return _named(scaled, metric, shared, present)
        case QueryMetric():
            findings = (*_elsewhere(metric, asked_at), *_others(scaled, metric))
            ask = Ask(SignalQuery(f"sum({metric.query})"), ())
            return Load(scaled, metric, ask, f"sum({metric.query})", "the query's unit", findings)
        case _:
            assert_never(metric)


def _named(
    scaled: Autoscaler, metric: NamedMetric, shared: Mapping[Autoscaler, Ask], present: Mapping[str, bool]
) -> Load | Cannot:
    found = _series(metric, present)
    if found is None:
        tried = ", ".join(name for name, _ in queries.candidates(metric.name))
        return Cannot(scaled, f"its metric {metric.name} is in none of the series {tried}; its query is not known here")
    name, counter = found
    guess = Finding(
        About.METRIC,
        f"the metric {metric.name} is read as {'the rate of ' if counter else ''}{name}, by the usual names of"
        " prometheus-adapter; check that this is what its rule serves",
    )
    unit = f"{metric.name}{' a second' if counter and not metric.name.endswith('_per_second') else ''}"
    findings = (guess, *_pressing(metric, counter=counter), *_others(scaled, metric))
    if metric.source == "Pods":
        query = queries.by_pods_of_policy(name, scaled, counter=counter)
        return Load(scaled, metric, shared[scaled], query, unit, findings)
    query = queries.by_labels(name, metric, scaled, counter=counter)
    return Load(scaled, metric, Ask(SignalQuery(query), ()), query, unit, findings)


def _pressing(metric: NamedMetric, *, counter: bool) -> tuple[Finding, ...]:
    if counter:
        return ()
    words = (
        f"{metric.name} is a gauge: if it depends on the replicas there are, as a queue does, it is no load to replay"
    )
    return (Finding(About.METRIC, words),)


def _elsewhere(metric: QueryMetric, asked_at: str) -> tuple[Finding, ...]:
    if metric.server is None or metric.server.rstrip("/") == asked_at.rstrip("/"):
        return ()
    words = f"the trigger's query was asked of {asked_at}, not of its own serverAddress {metric.server}"
    return (Finding(About.ACCESS, words),)


def _others(scaled: Autoscaler, chosen: Metric) -> tuple[Finding, ...]:
    """That the autoscaler has metrics besides the one that is replayed."""
    others = [metric for metric in scaled.metrics if metric is not chosen]
    told = [f"{metric} ({metric.why})" if isinstance(metric, OtherMetric) else str(metric) for metric in others]
    if not told:
        return ()
    words = f"only {chosen} is replayed; the autoscaler also follows {'; '.join(told)}"
    return (Finding(About.METRIC, words),)


def _no_metric(scaled: Autoscaler) -> str:
    whys = [f"{metric}: {metric.why}" for metric in scaled.metrics if isinstance(metric, OtherMetric)]
    return "; ".join(whys) or "it names no metric"

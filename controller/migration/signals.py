"""The metrics of an autoscaler as signals of a policy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, assert_never

from controller.audit import queries
from controller.migration.notes import Note
from policies.quantities import quantity_text
from simulations.audit.autoscaler import (
    ASSUMED_TARGET_RATIO,
    NamedMetric,
    OtherMetric,
    QueryMetric,
    ResourceMetric,
    per_cent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.migration.draft import Draft, Measure
    from simulations.audit.autoscaler import Metric

Signal = dict[str, object]

_UPWARDS = Context(prec=6, rounding=ROUND_CEILING)  # downwards, an exact multiple of the target would need one more
_COUNTS = re.compile(r"\b(rate|irate|increase)\s*\(")
_NO_COUNT = re.compile(r"histogram_quantile|/")
_NAME = re.compile(r"[^a-z0-9_.-]+")
_NOT_IN_A_SERIES = re.compile(r"[.-]")
_A_SECOND = "_per_second"
_IN_PROMETHEUS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.-]*")
_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Aim:
    """Where an autoscaler aims, as a share of what a replica serves, and what is to be said of it."""

    ratio: float
    notes: tuple[Note, ...] = ()


def aim_of(measures: Sequence[Measure]) -> Aim:
    """The least utilisation that it aims at; a usual one where it names none."""
    aims = [(each, ratio) for each in measures if (ratio := _share_of_request(each.metric)) is not None]
    if not aims:
        return Aim(ASSUMED_TARGET_RATIO)
    least = min(1.0, *(ratio for _, ratio in aims))
    words = f"a policy has one incumbent.target for all signals: {per_cent(least)} stands for its {{}}"
    others = [(each, ratio) for each, ratio in aims if ratio != least]
    return Aim(least, tuple(Note(each.path, words.format(per_cent(ratio))) for each, ratio in others))


def signals_of(draft: Draft, aim: Aim, asked: Mapping[str, str]) -> tuple[list[Signal], list[Note]]:
    """The signals of its metrics, and what is to be said of them. `asked` has queries by the names of metrics."""
    signals: list[Signal] = []
    notes: list[Note] = []
    for measure in draft.measures:
        found = _signal(draft, measure, aim.ratio, asked)
        if isinstance(found, Note):
            notes.append(found)
            continue
        signal, words = found
        signals.append({"name": _unused(measure.name or str(signal["name"]), signals), **_unnamed(signal)})
        notes += [Note(measure.path, each, lost=False) for each in words]
    return signals, notes


def _signal(draft: Draft, measure: Measure, aim: float, asked: Mapping[str, str]) -> tuple[Signal, list[str]] | Note:
    metric = measure.metric
    match metric:
        case ResourceMetric():
            return _of_resource(draft, measure, metric, aim)
        case QueryMetric():
            return _of_query("load", metric.query, metric.threshold, aim, total=measure.total)
        case NamedMetric():
            return _of_name(draft, measure, metric, aim, asked)
        case OtherMetric():
            return Note(measure.path, f"{metric.name}: {metric.why}")
        case _:
            assert_never(metric)


def _of_resource(draft: Draft, measure: Measure, metric: ResourceMetric, aim: float) -> tuple[Signal, list[str]] | Note:
    name, container = metric.resource, metric.container
    if name not in _RESOURCES:
        return Note(measure.path, f"there is no signal for the resource {name}; only for cpu and memory")
    called = f"{name}-{container}" if container else name
    words = [] if name == "cpu" else ["memory seldom falls with the load: such a signal raises, and hardly lets go"]
    if metric.target_ratio is not None:
        of = {"resource": name, **({"container": container} if container else {})}
        match = {"match": {"namespace": "$namespace", "container": container}} if container else {}
        if metric.target_ratio > 1:
            words.append(
                f"its {per_cent(metric.target_ratio)} of the request is above 100 %, which is all that a replica serves"
                " here; give what it really serves as capacityPerReplica"
            )
        return {"name": called, "preset": f"cadvisor/{name}", **match, "capacityFromRequest": of}, words
    if metric.average_value is None:
        return Note(measure.path, f"{name} has no target")
    if name == "cpu":
        query = queries.cpu_of_policy(draft.scaled, container, by_pod=False)
    else:
        query = queries.memory_of_policy(draft.scaled, container)
    signal, more = _demand(called, query, metric.average_value, aim)
    return signal, [*words, *more]


def _of_query(name: str, query: str, amount: float, aim: float, *, total: bool) -> tuple[Signal, list[str]]:
    """Demand where the query counts what comes; what may depend on the replicas there are is pressure."""
    if not total and _COUNTS.search(query) and not _NO_COUNT.search(query):
        return _demand(name, query, amount, aim)
    target = {"value" if total else "averageValue": _text(Decimal(str(amount)))}
    words = (
        "taken as pressure: it raises at once and holds what there is. Load that is the same whatever the replicas,"
        " such as requests or tokens a second, is better taken as demand, which can be forecast"
    )
    return {"name": name, "kind": "pressure", "query": query, "target": target}, [words]


def _of_name(
    draft: Draft, measure: Measure, metric: NamedMetric, aim: float, asked: Mapping[str, str]
) -> tuple[Signal, list[str]] | Note:
    if (query := asked.get(metric.name)) is not None:
        return _of_query(metric.name, query, metric.average_value, aim, total=measure.total)
    way_out = f"give its PromQL with --query '{metric.name}=...'"
    if metric.source == "Object":
        return Note(measure.path, f"what {metric.name} of an object is, its metrics API alone knows; {way_out}")
    if not _IN_PROMETHEUS.fullmatch(metric.name):
        return Note(measure.path, f"{metric.name} is no name of a metric in Prometheus; {way_out}")
    series = _NOT_IN_A_SERIES.sub("_", metric.name)
    if series.endswith(_A_SECOND):
        series = f"{series.removesuffix(_A_SECOND)}_total"
    counter = series.endswith("_total")
    if metric.source == "Pods":
        query = queries.by_pods_of_policy(series, draft.scaled, counter=counter, labels=metric.labels)
    else:
        query = queries.by_labels(series, metric, draft.scaled, counter=counter)
    guess = f"its query is guessed from the name, by the usual rules of prometheus-adapter; check it, or {way_out}"
    signal, words = _of_query(metric.name, query, metric.average_value, aim, total=measure.total)
    return signal, [guess, *words]


def _demand(name: str, query: str, amount: float, aim: float) -> tuple[Signal, list[str]]:
    capacity = _text(_UPWARDS.divide(Decimal(str(amount)), Decimal(str(aim))))
    words = (
        f"taken as demand, and its target of {amount:g} as {per_cent(aim)} of what a replica serves, which makes"
        f" capacityPerReplica {capacity}; measure that (foresail calibrate)"
    )
    return {"name": name, "kind": "demand", "query": query, "capacityPerReplica": capacity}, [words]


def _unnamed(signal: Signal) -> Signal:
    return {name: value for name, value in signal.items() if name != "name"}


def _unused(name: str, signals: Sequence[Signal]) -> str:
    """The name as a signal may have it, with a number where another signal has it already."""
    plain = _NAME.sub("-", name.lower()).strip("-_.")[:60] or "load"
    taken = {signal["name"] for signal in signals}
    return next(each for each in (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3))) if each not in taken)


def _share_of_request(metric: Metric) -> float | None:
    return metric.target_ratio if isinstance(metric, ResourceMetric) and metric.resource in _RESOURCES else None


def _text(amount: Decimal) -> str:
    return quantity_text(amount.normalize())

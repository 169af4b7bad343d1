"""The lists of the API: each is made of the report of the last tick, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.records import FLEET
from controller.telemetry import STALE_TICKS, budgets
from controller.web import documents, holds
from controller.web.documents import API_VERSION, list_metadata
from controller.web.once import once
from controller.web.placement import placement
from controller.web.sizes import sized
from controller.web.times import time_text
from policies.arrays import indices
from policies.model import Action, Hold, signal_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.records import PolicySet, SizedWorkload, TickReport
    from controller.web import schemas, shapes
    from controller.web.pages import Asked


def workloads(report: TickReport, asked: Asked) -> schemas.WorkloadList:
    """All workloads."""
    lanes, more = asked.page(report.fleet.uid)
    return documents.workload_list(report, lanes, more)


def recommendations(report: TickReport, asked: Asked) -> schemas.RecommendationList:
    """What is recommended to all workloads, as /metrics has it, and until when."""
    decision = report.decision
    lanes, more = asked.page(report.fleet.uid)
    told, target = decision.replicas.action != Action.HOLD, decision.replicas.target
    items: list[shapes.Recommendation] = []
    for lane in lanes:
        namespace, _, name = report.fleet.uid[lane].partition("/")
        replicas = int(target[lane]) if told[lane] else None
        items.append(
            {"namespace": namespace, "name": name, "replicas": replicas, "hold": holds.hold_name(report, lane)}
        )
    return {
        "apiVersion": API_VERSION,
        "kind": "RecommendationList",
        "metadata": list_metadata(report, more, report.fleet.lanes),
        "until": time_text(report.at_s + STALE_TICKS * report.fleet.limits.tick_s),
        "items": items,
    }


def sizes(report: TickReport, asked: Asked, found: Sequence[SizedWorkload]) -> schemas.SizeList:
    """The workloads whose containers are sized."""
    by_key = {f"{each.target.namespace}/{each.target.kind}/{each.target.name}": each for each in found}
    keys = sorted(by_key)
    places, more = asked.page(keys)
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadSizeList",
        "metadata": list_metadata(report, more, len(keys)),
        "items": [sized(by_key[keys[place]]) for place in places],
    }


def budget_list(report: TickReport, asked: Asked) -> schemas.BudgetList:
    """The caps of namespaces and of the fleet."""
    used = {f"{namespace}/{resource}": share for _, (namespace, resource), share in budgets.used(report)}
    keys = sorted(used)
    places, more = asked.page(keys)
    return {
        "apiVersion": API_VERSION,
        "kind": "BudgetList",
        "metadata": list_metadata(report, more, len(keys)),
        "items": [_budget(report, keys[place], used[keys[place]]) for place in places],
    }


def placements(report: TickReport, asked: Asked) -> schemas.PlacementList:
    """The workloads whose replicas are split over two objects."""
    found = {report.fleet.uid[lane]: lane for lane in indices(report.fleet.spot.placed).tolist()}
    keys = [uid for uid in found if placement(report, found[uid]) is not None]
    places, more = asked.page(keys)
    return {
        "apiVersion": API_VERSION,
        "kind": "PlacementList",
        "metadata": list_metadata(report, more, len(keys)),
        "items": [_placement(report, keys[place], found[keys[place]]) for place in places],
    }


def signals(report: TickReport, asked: Asked) -> schemas.SignalList:
    """What is read for all workloads."""
    tracks = report.fleet.tracks
    order = sorted(range(len(tracks.uid)), key=tracks.uid.__getitem__)
    places, more = asked.page([tracks.uid[track] for track in order])
    queries = _queries(report.policies)
    return {
        "apiVersion": API_VERSION,
        "kind": "SignalList",
        "metadata": list_metadata(report, more, len(order)),
        "items": [_signal(report, order[place], queries) for place in places],
        "bound": {} if report.gpus is None else {f"gpu_{name}": metric for name, metric in report.gpus.binding.items()},
    }


def signals_of(report: TickReport, lane: int) -> list[schemas.WorkloadSignal]:
    """What is read for one workload."""
    queries = _queries(report.policies)
    return [_signal(report, track, queries) for track in indices(report.fleet.tracks.lane == lane).tolist()]


def hold_list(report: TickReport, asked: Asked) -> schemas.HoldList:
    """What is held or fixed."""
    fixed = report.decision.fixed
    there = report.decision.hold != Hold.NONE
    lanes = indices(there if fixed is None else there | fixed.there).tolist()
    places, more = asked.page([report.fleet.uid[lane] for lane in lanes])
    items = [holds.held(report, lanes[place]) for place in places]
    fleet = report.interventions.get(FLEET)
    return {
        "apiVersion": API_VERSION,
        "kind": "HoldList",
        "metadata": list_metadata(report, more, len(lanes)),
        "items": [each for each in items if each is not None],
        "killSwitch": report.killed,
        "fleet": None if fleet is None else holds.intervention(fleet),
    }


def _budget(report: TickReport, key: str, used: float) -> schemas.Budget:
    namespace, _, resource = key.partition("/")
    terms = report.fleet.budget
    row = budgets.ROWS[resource]
    cap = terms.namespaces[terms.names.index(namespace), row] if namespace else terms.fleet[row]
    return {
        "namespace": namespace or None,
        "resource": resource,
        "cap": float(cap),
        "usedRatio": used,
    }


def _placement(report: TickReport, uid: str, lane: int) -> schemas.WorkloadPlacement:
    namespace, _, name = uid.partition("/")
    found = placement(report, lane)
    if found is None:
        raise LookupError(f"{uid} has no placement")
    return {"namespace": namespace, "name": name, "placement": found}


@once
def _queries(policies: PolicySet) -> Mapping[str, str]:
    """What each signal asks, by workload and name."""
    return {
        f"{policy.uid}/{signal.name}": bound.query
        for policy in policies.policies
        for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True)
    }


def _signal(report: TickReport, track: int, queries: Mapping[str, str]) -> schemas.WorkloadSignal:
    uid = report.fleet.tracks.uid[track]
    namespace, _, workload = uid.rpartition("/")[0].partition("/")
    query = queries.get(f"{namespace}/{workload}/{signal_name(uid)}")
    return {"namespace": namespace, "workload": workload, "query": query, **documents.signal(report, track)}

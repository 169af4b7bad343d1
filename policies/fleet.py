"""From policies to a fleet: the one place where documents become columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never
from zlib import crc32

import numpy as np

from policies.aims import HEADROOM, Aims
from policies.behaviors import Behavior
from policies.budget import caps_of
from policies.budget_terms import FLEET, RESOURCES, BudgetTerms, StepLimits
from policies.events import event_table
from policies.hpa.columns import direction_of
from policies.model import (
    UNKNOWN,
    Fleet,
    Kind,
    Limits,
    Mode,
    Source,
    TargetKind,
    Tracks,
)
from policies.placement import late_parts
from policies.places import SpotTerms
from policies.schedules import FreezeTable, schedule_table
from policies.spec import DemandSignal, Incumbent, LateSignal, PressureSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.budget import Budget, BudgetSpec, StepDown, StepUp
    from policies.freeze import Freeze
    from policies.spec import BoundQuery, Signal, Spec, WorkloadPolicy

_HOUR_S = 3_600.0
_MODES = {"shadow": Mode.SHADOW, "floor": Mode.FLOOR, "active": Mode.ACTIVE, "paused": Mode.PAUSED}


def fleet_of(
    policies: Sequence[WorkloadPolicy],
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    budgets: Sequence[Budget] = (),
) -> Fleet:
    """The fleet of these policies, lanes sorted by uid. Uids must be unique (see spec.duplicates)."""
    ordered = sorted(policies, key=lambda policy: policy.uid)
    specs = [policy.spec for policy in ordered]
    return Fleet(
        uid=tuple(policy.uid for policy in ordered),
        mode=np.array([_MODES[spec.mode] for spec in specs], np.int8),
        min_replicas=np.array([spec.replicas.min for spec in specs], np.int64),
        max_replicas=np.array([spec.replicas.max for spec in specs], np.int64),
        late_ratio=np.array([late_parts(spec.objective.late_share, spec.placement)[0] for spec in specs], np.float64),
        serving_limit_ratio=np.array([spec.objective.serving_limit for spec in specs], np.float64),
        forecast=np.array([spec.forecast.enabled for spec in specs], np.bool_),
        history_s=np.array([spec.forecast.history for spec in specs], np.float64),
        behavior=_behavior(ordered),
        schedules=schedule_table([spec.replicas for spec in specs]),
        tracks=_tracks(ordered),
        limits=limits,
        aims=_aims(specs),
        events=event_table([spec.forecast.events for spec in specs]),
        spot=_spot(specs),
        budget=_budget(ordered, [budget.spec for budget in budgets]),
        freezes=_freezes(ordered, [budget.spec for budget in budgets]),
    )


def _freezes(policies: Sequence[WorkloadPolicy], budgets: Sequence[BudgetSpec]) -> FreezeTable:
    """Each workload's own freeze windows, those of its namespace and those of the fleet."""
    shared: dict[str | None, list[Freeze]] = {}
    for budget in budgets:
        shared.setdefault(budget.namespace, []).extend(budget.freeze)
    return FreezeTable.of(
        [
            (*policy.spec.freeze, *shared.get(policy.metadata.namespace, ()), *shared.get(None, ()))
            for policy in policies
        ]
    )


def _budget(policies: Sequence[WorkloadPolicy], budgets: Sequence[BudgetSpec]) -> BudgetTerms:
    names = sorted({budget.namespace for budget in budgets if budget.namespace is not None})
    caps = np.full((len(names) + 2, RESOURCES), np.inf)  # of namespaces, of all others, of the fleet
    for budget in budgets:
        row = len(names) + 1 if budget.namespace is None else names.index(budget.namespace)
        caps[row] = np.minimum(caps[row], caps_of(budget))
    rows = {name: row for row, name in enumerate(names)}
    given = [policy.spec.budget for policy in policies]
    return BudgetTerms(
        priority=np.array([policy.spec.priority for policy in policies], np.int64),
        need=np.array([_replica_need(policy.spec) for policy in policies], np.float64).reshape(-1, RESOURCES),
        own=np.array([caps_of(budget) for budget in given], np.float64).reshape(-1, RESOURCES),
        namespace=np.array([rows.get(policy.metadata.namespace, len(names)) for policy in policies], np.int64),
        names=tuple(names),
        namespaces=caps[:-1],
        fleet=caps[-1],
        step_downs=_steps([(budget.namespace, budget.step_down) for budget in budgets], rows),
        step_ups=_steps([(budget.namespace, budget.step_up) for budget in budgets], rows),
    )


def _steps(budgets: Sequence[tuple[str | None, StepDown | StepUp | None]], rows: Mapping[str, int]) -> StepLimits:
    given = [(FLEET if name is None else rows[name], each) for name, each in budgets if each is not None]
    return StepLimits(
        np.array([scope for scope, _ in given], np.int64),
        np.array([each.replicas for _, each in given], np.int64),
        np.array([each.window for _, each in given], np.float64),
    )


def _replica_need(spec: Spec) -> tuple[float, float]:
    """What one replica costs in an hour, on demand, and its GPUs; UNKNOWN where the policy does not say."""
    prices, budget = spec.objective.prices, spec.budget
    gpus = None if budget is None else budget.replica_gpus
    return UNKNOWN if prices is None else prices.replica_hour, UNKNOWN if gpus is None else float(gpus)


def _spot(specs: Sequence[Spec]) -> SpotTerms:
    given = [spec.placement for spec in specs]
    spots = [None if placement is None else placement.spot for placement in given]
    short = [late_parts(spec.objective.late_share, spec.placement)[1] for spec in specs]
    return SpotTerms(
        placed=np.array([placement is not None for placement in given], np.bool_),
        price_ratio=np.array([1.0 if spot is None else spot.price for spot in spots], np.float64),
        short_ratio=np.array(short, np.float64),
        min_on_demand=np.array([0 if placement is None else placement.on_demand.min for placement in given], np.int64),
    )


def _aims(specs: Sequence[Spec]) -> Aims:
    objectives = [spec.objective for spec in specs]
    slos = [objective.slo for objective in objectives]
    given = [spec.incumbent for spec in specs]
    incumbents = [incumbent or Incumbent() for incumbent in given]
    targets = [
        HEADROOM * objective.serving_limit if incumbent.target is None else incumbent.target
        for objective, incumbent in zip(objectives, incumbents, strict=True)
    ]
    return Aims(
        late_incumbent=np.array([objective.late == "incumbent" for objective in objectives], np.bool_),
        slo_window_s=np.array([0.0 if slo is None else slo.window for slo in slos], np.float64),
        slo_hour_ratio=np.array([np.inf if slo is None else slo.late_in_an_hour for slo in slos], np.float64),
        late_price_ratio=np.array([_late_price_ratio(spec) for spec in specs], np.float64),
        churn_s=np.array([objective.churn for objective in objectives], np.float64),
        incumbent_given=np.array([incumbent is not None for incumbent in given], np.bool_),
        incumbent_target_ratio=np.array(targets, np.float64),
        incumbent_tolerance_ratio=np.array([incumbent.tolerance for incumbent in incumbents], np.float64),
        incumbent_window_s=np.array([incumbent.window for incumbent in incumbents], np.float64),
    )


def _late_price_ratio(spec: Spec) -> float:
    """The price of late work relative to that of the replicas it fills; 0 without prices.

    At 50 requests per second and a limit of 0.8 a replica serves 144,000 in an hour. If each late one costs 0.002 and
    the replica 1.20, that load costs 288 when it is late, 240 times the replica.
    """
    prices = spec.objective.prices
    if prices is None or prices.late_request is None:
        return 0.0
    capacity = next(
        float(signal.capacity_per_replica)
        for signal in spec.signals
        if isinstance(signal, DemandSignal)
        and signal.capacity_per_replica is not None
        and prices.signal in (None, signal.name)
    )
    hourly = capacity * spec.objective.serving_limit * _HOUR_S
    return hourly * prices.late_request / prices.replica_hour


def _behavior(policies: Sequence[WorkloadPolicy]) -> Behavior:
    specs = [policy.spec for policy in policies]
    up = np.array([spec.scale_up_is_written for spec in specs], np.bool_)
    down = np.array([spec.scale_down_is_written for spec in specs], np.bool_)
    return Behavior(
        direction_of([spec.scale_up for spec in specs], up),
        direction_of([spec.scale_down for spec in specs], down),
        given=np.ones(len(specs), np.bool_),
    )


def _tracks(policies: Sequence[WorkloadPolicy]) -> Tracks:
    rows = [
        (lane, policy, bound, _track_of(signal, policy.spec.objective.serving_limit))
        for lane, policy in enumerate(policies)
        for signal, bound in zip(policy.spec.signals, policy.queries(), strict=True)
    ]

    def column(value: Callable[[_Track], int], dtype: type) -> np.ndarray:
        return np.array([value(track) for *_, track in rows], dtype)

    return Tracks(
        uid=tuple(f"{policy.uid}/{bound.signal}#{_digest(bound)}" for _, policy, bound, _ in rows),
        lane=np.array([lane for lane, *_ in rows], np.int64),
        kind=column(lambda track: track.kind, np.int8),
        source=column(lambda track: track.source, np.int8),
        target_kind=column(lambda track: track.target_kind, np.int8),
        target_milli=column(lambda track: track.target_milli, np.int64),
        capacity_milli=column(lambda track: track.capacity_milli, np.int64),
        cpu=column(lambda track: track.cpu, np.bool_),
    )


def _digest(bound: BoundQuery) -> str:
    """Another query is another track: what was learned of the old one says nothing of it."""
    return f"{crc32(repr((bound.query, bound.match)).encode()):08x}"


class _Track(NamedTuple):
    """One signal's codes."""

    kind: Kind
    source: Source
    target_kind: TargetKind
    target_milli: int
    capacity_milli: int = UNKNOWN
    cpu: bool = False


def _track_of(signal: Signal, serving_limit: float) -> _Track:
    match signal:
        case DemandSignal():
            return _demand(signal, serving_limit * HEADROOM)
        case PressureSignal():
            return _pressure(signal)
        case LateSignal():
            return _Track(Kind.LATE, Source.EXTERNAL, TargetKind.NONE, 0)
        case _:
            assert_never(signal)


def _demand(signal: DemandSignal, share: float) -> _Track:
    """A share of the declared capacity, or of the pods' request."""
    capacity = signal.capacity_per_replica_milli
    if capacity is not None:
        target = max(1, int(capacity * share))
        return _Track(Kind.DEMAND, Source.EXTERNAL, TargetKind.AVERAGE_VALUE, target, capacity)
    request = signal.capacity_from_request
    source = Source.CONTAINER_RESOURCE if request is not None and request.container else Source.RESOURCE
    cpu = request is not None and request.resource == "cpu"
    return _Track(Kind.DEMAND, source, TargetKind.UTILIZATION, max(1, round(100 * share)), cpu=cpu)


def _pressure(signal: PressureSignal) -> _Track:
    if signal.target.average_value is None:
        return _Track(Kind.PRESSURE, Source.EXTERNAL, TargetKind.VALUE, signal.target.milli)
    source = Source.PODS if signal.per_pod else Source.EXTERNAL
    return _Track(Kind.PRESSURE, source, TargetKind.AVERAGE_VALUE, signal.target.milli)

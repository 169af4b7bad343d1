"""What asks for replicas: the Kubernetes rule, on all signals or on some, and the orders of the lead-time layer.

Each proposes by itself, under the bounds that hold for it, from a log of its own recommendations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, booleans, indices, integers, max_by, small
from policies.codes import Code
from policies.hpa import behavior as hpa
from policies.hpa.metrics import Fault, propose
from policies.model import UNKNOWN, Hold, Kind, Status
from policies.proposal import Proposal

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.behaviors import Direction
    from policies.hpa.metrics import Proposed
    from policies.log import Log
    from policies.model import Fleet, Observation
    from policies.state import EngineState

GAP_TICKS = 4  # a lane without a recommendation for so long was not watched
ROUNDING = 1e-9  # a need this close above a whole number of replicas is that number


class Scaling(Code):
    """Reasons of the condition ScalingActive; NOT_SET where bounds decided before any metric was read."""

    NOT_SET = 0
    VALID_METRIC_FOUND = 1
    SCALING_DISABLED = 2
    FAILED_GET_RESOURCE_METRIC = 3
    FAILED_GET_CONTAINER_RESOURCE_METRIC = 4
    FAILED_GET_PODS_METRIC = 5
    FAILED_GET_OBJECT_METRIC = 6
    FAILED_GET_EXTERNAL_METRIC = 7
    INVALID_METRIC_SOURCE_TYPE = 8


class Able(Code):
    """Reasons of the condition AbleToScale."""

    SUCCEEDED_GET_SCALE = 0
    READY_FOR_NEW_SCALE = 1
    SCALE_UP_STABILIZED = 2
    SCALE_DOWN_STABILIZED = 3
    SUCCEEDED_RESCALE = 4


_FAILED = np.array(
    [
        Scaling.FAILED_GET_RESOURCE_METRIC,
        Scaling.FAILED_GET_CONTAINER_RESOURCE_METRIC,
        Scaling.FAILED_GET_PODS_METRIC,
        Scaling.FAILED_GET_OBJECT_METRIC,
        Scaling.FAILED_GET_EXTERNAL_METRIC,
        Scaling.INVALID_METRIC_SOURCE_TYPE,
    ],
    np.int8,
)  # by Source


@dataclass(frozen=True, slots=True)
class Conditions:
    """The status reasons that the Kubernetes controller would report, `[lane]`, as codes.

    `Able` and `Scaling`, and `Limited` of policies.hpa.behavior; UNKNOWN = not set.
    """

    able_to_scale: SmallArray
    scaling_active: SmallArray
    scaling_limited: SmallArray
    utilization_percent: IntArray  # [track]; UNKNOWN when it has none


@dataclass(frozen=True, slots=True)
class KubernetesAdvice:
    """What the Kubernetes rule would do, the log it leaves behind, and its status conditions."""

    proposal: Proposal
    log: Log
    tracks: Proposed
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class _Largest:
    """The largest proposal of each lane, `[lane]`."""

    replicas: IntArray
    doubtful: BoolArray  # a track could not be read, or may only raise
    usable: BoolArray  # the rule acts: all tracks are good, or what is good does not lower
    scaling: SmallArray


@dataclass(frozen=True, slots=True)
class _Ruling:
    """Which lanes the rule judged and what came of it, `[lane]`."""

    disabled: BoolArray  # at zero replicas
    outside: BoolArray  # of the bounds: those decide before any metric is read
    ruled: BoolArray
    stable: IntArray
    code: SmallArray  # Limited


def kubernetes_rule(fleet: Fleet, state: EngineState, seen: Observation, bounds: hpa.Bounds) -> KubernetesAdvice:
    """HPA v2: the largest proposal of the tracks, stabilised, limited by rates and bounds, `[lane]`.

    With `limits.cautious` two things are added before a fall. Nothing is lowered while a signal is above its target:
    Kubernetes multiplies the ratio by the ready pods, so that an overload that makes pods unready asks for fewer.
    And a hole in the data, or in the ticks, counts as a recommendation to stay, so that the window begins anew
    after it.
    """
    asks = fleet.tracks.kind != Kind.LATE  # what only measures asks for nothing, whether it can be read or not
    return _ruled(fleet, state, seen, bounds, _Asked(state.advice, propose(fleet, seen), asks))


def pressure_rule(
    fleet: Fleet, state: EngineState, seen: Observation, bounds: hpa.Bounds, tracks: Proposed
) -> tuple[IntArray, Log]:
    """What the Kubernetes rule says of signals of pressure alone, `[lane]`, 0 where there are none, and its log.

    `tracks` is what `kubernetes_rule` found each track to propose.
    """
    presses = fleet.tracks.kind == Kind.PRESSURE
    if not presses.any():
        return integers(fleet.lanes), state.pressed
    ruled = _ruled(fleet, state, seen, bounds, _Asked(state.pressed, tracks, presses))
    here = any_by(fleet.tracks.lane, presses, fleet.lanes)
    return np.where(here, ruled.proposal.target, 0), ruled.log


@dataclass(frozen=True, slots=True)
class _Asked:
    """The log of one rule, what each track proposes, and which tracks it asks, `[track]`."""

    log: Log
    tracks: Proposed
    asks: BoolArray


def _ruled(fleet: Fleet, state: EngineState, seen: Observation, bounds: hpa.Bounds, asked: _Asked) -> KubernetesAdvice:
    current = seen.spec_replicas
    gap = (asked.log.newest_s() < seen.now_s - GAP_TICKS * fleet.limits.tick_s) & fleet.limits.cautious
    first = (~state.seen | (gap & (current > 0))) & (seen.hold != Hold.NO_TARGET)
    log = asked.log.noted(seen.now_s, current, first, hpa.log_window(fleet.behavior, fleet.limits))
    tracks = asked.tracks
    best = _largest(fleet, seen, tracks, asked.asks)
    cautious = fleet.limits.cautious
    pressed = any_by(fleet.tracks.lane, tracks.above & asked.asks, fleet.lanes) & (best.replicas < current) & cautious
    disabled = (current == 0) & ~(state.zeroed & fleet.limits.scale_to_zero)
    outside = ~disabled & ((current > bounds.high) | (current < bounds.low))
    ruled = ~disabled & ~outside & best.usable
    proposal = Proposal(current).where(ruled | best.doubtful, best.replicas, rule="signals")
    proposal = proposal.where(pressed, current, rule="above_target")
    proposal = proposal.where(~ruled, current, rule="missing_data")
    best = replace(best, replicas=np.where(pressed, current, best.replicas))
    moment = hpa.Moment(fleet.behavior, fleet.limits, seen.now_s, current)
    stable = hpa.stabilized(moment, log, best.replicas)
    proposal = proposal.where(ruled, stable, rule="stabilization")
    moves = hpa.Moves(state.rises, state.falls)
    limited, code = hpa.limited(moment, moves, stable, bounds)
    by_rate = (code == hpa.Limited.SCALE_UP_LIMIT) | (code == hpa.Limited.SCALE_DOWN_LIMIT)
    proposal = proposal.where(ruled & by_rate, limited, rule="rate_limit")
    inside = np.clip(current, bounds.low, bounds.high)
    proposal = proposal.where(ruled | outside, np.where(outside, inside, limited), rule="bounds")
    stays = cautious & best.doubtful & ~best.usable & ~disabled & ~outside
    noted = np.where(ruled, best.replicas, current)
    log = log.noted(seen.now_s, noted, ruled | stays, hpa.log_window(fleet.behavior, fleet.limits))
    ruling = _Ruling(disabled, outside, ruled, stable, code)
    conditions = _conditions(fleet, best, ruling, moved=proposal.target != current, rising=best.replicas >= current)
    return KubernetesAdvice(proposal, log, tracks, replace(conditions, utilization_percent=tracks.utilization_percent))


def _largest(fleet: Fleet, seen: Observation, tracks: Proposed, asks: BoolArray) -> _Largest:
    lane, count = fleet.tracks.lane, fleet.lanes
    valid = (tracks.fault == Fault.NONE) & asks
    doubtful = any_by(lane, asks & (~valid | (seen.readings.status != Status.FRESH)), count)
    found = any_by(lane, valid, count)
    current = seen.spec_replicas
    replicas = max_by(lane[valid], tracks.replicas[valid], count, empty=0)
    replicas = np.where(found, replicas, current)
    usable = found & ~(doubtful & (replicas < current))
    scaling = small(count, Scaling.VALID_METRIC_FOUND)
    if not usable.all():
        invalid = indices(asks & (~valid | (seen.readings.status[: lane.size] != Status.FRESH)))
        first = integers(count, lane.size)
        np.minimum.at(first, lane[invalid], invalid)
        named = ~usable & (first < lane.size)
        scaling[named] = _FAILED[fleet.tracks.source[first[named]]]
    return _Largest(replicas, doubtful, usable, scaling)


def _conditions(fleet: Fleet, best: _Largest, ruling: _Ruling, *, moved: BoolArray, rising: BoolArray) -> Conditions:
    """The three status reasons that the controller would report."""
    able = small(moved.size, Able.SUCCEEDED_GET_SCALE)
    held = np.where(fleet.behavior.given & rising, Able.SCALE_UP_STABILIZED, Able.SCALE_DOWN_STABILIZED)
    able[ruling.ruled] = np.where(best.replicas == ruling.stable, Able.READY_FOR_NEW_SCALE, held)[ruling.ruled]
    able[moved] = Able.SUCCEEDED_RESCALE
    scaling = best.scaling.copy()
    scaling[ruling.outside] = Scaling.NOT_SET
    scaling[ruling.disabled] = Scaling.SCALING_DISABLED
    scaling_limited = np.where(ruling.ruled, ruling.code, UNKNOWN).astype(np.int8)
    return Conditions(able, scaling, scaling_limited, integers(0))


def capacity_per_replica(fleet: Fleet, seen: Observation) -> FloatArray:
    """What one replica serves at 100 %, in the track's base unit, `[track]`; 0 where nobody knows.

    As declared, or the mean request of the pods times the pods of a replica.
    """
    tracks, samples = fleet.tracks, seen.samples
    declared = np.maximum(tracks.capacity_milli, 0) / 1000.0
    rows = samples.request_milli != UNKNOWN
    if not rows.any():
        return declared
    count = tracks.lane.size
    total = np.bincount(samples.track[rows], weights=samples.request_milli[rows], minlength=count)
    number = np.bincount(samples.track[rows], minlength=count)
    mean = total / np.maximum(number, 1) / 1000.0 * seen.pods_per_replica[tracks.lane]
    return np.where(tracks.capacity_milli == UNKNOWN, mean, declared)


def order_rule(
    fleet: Fleet, state: EngineState, seen: Observation, bounds: hpa.Bounds, orders: IntArray
) -> tuple[IntArray, Log]:
    """Orders of the lead-time layer within the windows and rates that the user wrote, `[lane]`, and their log.

    Kubernetes' default behavior does not bind them.
    """
    if not fleet.forecast.any():
        return integers(fleet.lanes), state.ahead
    behavior, current = fleet.behavior, seen.spec_replicas
    moment = hpa.Moment(behavior, fleet.limits, seen.now_s, current)
    moves = hpa.Moves(state.rises, state.falls)
    rates = written_limits(moment, moves)
    held, log = orders, state.ahead
    if behavior.up.written.any() or behavior.down.written.any():
        written = replace(
            behavior, up=_written(behavior.up), down=_written(behavior.down), given=~booleans(fleet.lanes)
        )
        first = ~state.seen & (seen.hold != Hold.NO_TARGET)
        log = log.noted(seen.now_s, current, first, hpa.log_window(written, fleet.limits))
        held = hpa.stabilized(replace(moment, behavior=written), log, orders)
        log = log.noted(seen.now_s, orders, fleet.forecast, hpa.log_window(written, fleet.limits))
    return np.clip(np.clip(held, rates.low, rates.high), bounds.low, bounds.high), log


def _written(direction: Direction) -> Direction:
    """A direction whose window is 0 where the user did not write it."""
    return replace(direction, window_s=np.where(direction.written, direction.window_s, 0.0))


def written_limits(moment: hpa.Moment, moves: hpa.Moves) -> hpa.Bounds:
    """What the rate policies that the user wrote allow now, `[lane]`; no limit where none were written."""
    behavior, lanes = moment.behavior, moment.current.size
    free = hpa.Bounds(integers(lanes), integers(lanes, hpa.INT32_MAX))
    if not (behavior.up.written.any() or behavior.down.written.any()):
        return free
    rates = hpa.rate_limits(moment, moves)
    return hpa.Bounds(
        _where_written(behavior.down, rates.low, free.low), _where_written(behavior.up, rates.high, free.high)
    )


def _where_written(direction: Direction, limit: IntArray, free: IntArray) -> IntArray:
    return np.where(direction.written, limit, free)

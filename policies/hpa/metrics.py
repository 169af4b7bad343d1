"""Replicas that one metric proposes, for every track of the fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import INT64_MAX, booleans, integers, small, sum_by
from policies.codes import Code
from policies.hpa.pods import Group, listed_pods, pod_groups, ready_pods
from policies.model import UNKNOWN, Source, Status, TargetKind

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.model import Fleet, Observation

INT32_MAX = 2**31 - 1


class Fault(Code):
    """Why a track proposes nothing."""

    NONE = 0
    SOURCE = 1
    NO_SAMPLES = 2
    NO_MATCHING_POD = 3
    MISSING_REQUEST = 4
    NO_PODS = 5
    UNKNOWN_TYPE = 6


@dataclass(frozen=True, slots=True)
class Proposed:
    """What every track proposes, `[track]`; UNKNOWN where `fault` says why it proposes nothing."""

    replicas: IntArray
    utilization_percent: IntArray
    raw_milli: IntArray
    fault: SmallArray
    above: BoolArray  # the ratio is above 1 and applies to the ready pods, so that fewer of them could ask for fewer

    @classmethod
    def nothing(cls, count: int) -> Proposed:
        """No track proposes anything yet."""
        unknown = integers(count, UNKNOWN)
        return cls(unknown, unknown.copy(), unknown.copy(), small(count), booleans(count))


@dataclass(frozen=True, slots=True)
class _Usage:
    """Use of the counted samples of some tracks against what they should use, `[track]`."""

    ratio: FloatArray
    utilization_percent: IntArray
    mean_milli: IntArray
    count: IntArray
    matched: BoolArray


def propose(fleet: Fleet, seen: Observation) -> Proposed:
    """Replicas proposed by every track on its own, before limits and windows."""
    tracks, readings = fleet.tracks, seen.readings
    count = tracks.lane.size
    out = Proposed.nothing(count)
    fault = out.fault
    fault[(tracks.source == Source.UNKNOWN) | (tracks.target_kind == TargetKind.NONE)] = Fault.UNKNOWN_TYPE
    fault[readings.status == Status.MISSING] = Fault.SOURCE
    by_pod = _sampled(tracks.source) & (fault == Fault.NONE)
    if by_pod.any():
        _from_samples(fleet, seen, by_pod, out)
    in_total = ~_sampled(tracks.source) & (fault == Fault.NONE)
    if in_total.any():
        _from_totals(fleet, seen, in_total, out)
    failed = fault != Fault.NONE
    for values in (out.replicas, out.utilization_percent, out.raw_milli):
        values[failed] = UNKNOWN
    out.above[failed] = False
    return out


def _sampled(source: SmallArray) -> BoolArray:
    return source <= Source.PODS


def _within(fleet: Fleet, lane: IntArray, ratio: FloatArray) -> BoolArray:
    low = 1.0 - fleet.behavior.down.tolerance_ratio[lane]
    high = 1.0 + fleet.behavior.up.tolerance_ratio[lane]
    return (low <= ratio) & (ratio <= high)


def _whole(replicas: FloatArray) -> IntArray:
    """Rounded up and saturated as an int32 is."""
    return np.ceil(np.minimum(replicas, INT32_MAX)).astype(np.int64)


def _from_totals(fleet: Fleet, seen: Observation, mine: BoolArray, out: Proposed) -> None:
    """Object and external metrics: a total against a target in total or per replica."""
    tracks, value = fleet.tracks, seen.readings.value_milli
    target, usage, lane = tracks.target_milli.astype(np.float64), value.astype(np.float64), tracks.lane
    per_pod = mine & (tracks.target_kind == TargetKind.AVERAGE_VALUE)
    status = seen.status_replicas[lane]
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = usage / (target * status)
        out.replicas[per_pod] = _whole(usage[per_pod] / target[per_pod])
        keep = per_pod & _within(fleet, lane, shared)
        out.replicas[keep] = status[keep]
        out.raw_milli[per_pod] = np.ceil(usage[per_pod] / np.maximum(status[per_pod], 1)).astype(np.int64)
        in_total = mine & (tracks.target_kind == TargetKind.VALUE)
        if in_total.any():
            _by_ratio(fleet, seen, in_total, usage / target, out)
            out.raw_milli[in_total] = value[in_total]
    out.fault[mine & (tracks.target_kind == TargetKind.UTILIZATION)] = Fault.UNKNOWN_TYPE


def _by_ratio(fleet: Fleet, seen: Observation, mine: BoolArray, ratio: FloatArray, out: Proposed) -> None:
    """Ready pods times the ratio; at zero replicas the ratio itself."""
    lane = fleet.tracks.lane
    ready = ready_pods(seen.pods, fleet.lanes)[lane]
    none = (listed_pods(seen.pods, fleet.lanes) == 0)[lane]
    spec = seen.spec_replicas[lane]
    wanted = _whole(ratio * ready / seen.pods_per_replica[lane])
    wanted = np.where(_within(fleet, lane, ratio), spec, wanted)
    wanted = np.where(spec == 0, _whole(ratio), wanted)
    out.replicas[mine] = wanted[mine]
    out.above[mine] = ratio[mine] > 1.0
    out.fault[mine & none & (spec != 0)] = Fault.NO_PODS


def _from_samples(fleet: Fleet, seen: Observation, mine: BoolArray, out: Proposed) -> None:
    """Resource and pod metrics: a mean over pods, doubtful pods counted so as to dampen the change."""
    tracks, samples = fleet.tracks, seen.samples
    count, lane = tracks.lane.size, tracks.lane
    group = pod_groups(tracks, seen.pods, samples, fleet.limits)
    known = (group == Group.READY) | (group == Group.ORPHAN)
    first = _usage(fleet, seen, known, samples.value_milli)
    unready, missing = group == Group.UNREADY, group == Group.MISSING
    rising, falling = first.ratio > 1.0, first.ratio < 1.0
    some_unready = _some(samples.track, unready, count) & rising
    some_missing = _some(samples.track, missing, count)
    ready = np.bincount(samples.track[group == Group.READY], minlength=count)[:count]
    wanted = _whole(first.ratio * ready / seen.pods_per_replica[lane])
    wanted = np.where(_within(fleet, lane, first.ratio), seen.spec_replicas[lane], wanted)
    doubtful = some_unready | some_missing
    if doubtful.any():
        refilled = (missing & (rising | falling)[samples.track]) | (unready & some_unready[samples.track])
        value = np.where(known, samples.value_milli, _refill(fleet, seen, missing & falling[samples.track]))
        second = _usage(fleet, seen, known | refilled, value)
        wanted = np.where(doubtful, _dampened(fleet, seen, first, second), wanted)
    out.replicas[mine] = wanted[mine]
    out.above[mine] = rising[mine]
    of_request = mine & (tracks.target_kind == TargetKind.UTILIZATION)
    out.utilization_percent[of_request] = first.utilization_percent[of_request]
    out.raw_milli[mine] = first.mean_milli[mine]
    _note_faults(fleet, seen, mine, (known, first), out.fault)


def _refill(fleet: Fleet, seen: Observation, rows: BoolArray) -> IntArray:
    """What a missing pod is taken to use on the way down, per row: its whole request, or the target."""
    tracks, samples = fleet.tracks, seen.samples
    target = tracks.target_milli[samples.track]
    share = np.maximum(100, target)
    whole = np.minimum(np.maximum(samples.request_milli, 0), INT64_MAX // share) * share // 100
    of_request = tracks.target_kind[samples.track] == TargetKind.UTILIZATION
    return np.where(rows, np.where(of_request, whole, target), 0)


def _usage(fleet: Fleet, seen: Observation, rows: BoolArray, value: IntArray) -> _Usage:
    """Use of the rows that count: against their requests, or their mean against the target."""
    tracks, samples = fleet.tracks, seen.samples
    count = tracks.lane.size
    of_request = tracks.target_kind == TargetKind.UTILIZATION
    requested = samples.request_milli != UNKNOWN
    counted = rows & (requested | ~of_request[samples.track])
    total = sum_by(samples.track[counted], value[counted], count)
    number = np.bincount(samples.track[counted], minlength=count)[:count].astype(np.int64)
    request = sum_by(samples.track[counted], samples.request_milli[counted], count)
    mean = total // np.maximum(number, 1)
    percent = np.where(request > 0, _percent(total, np.maximum(request, 1)), 0)
    target = np.maximum(tracks.target_milli, 1).astype(np.float64)
    ratio = np.where(of_request, percent / target, mean / target)
    everything = np.bincount(samples.track[rows], minlength=count)[:count].astype(np.int64)
    return _Usage(ratio, percent, mean, everything, np.where(of_request, request > 0, number > 0))


def _percent(part: IntArray, whole: IntArray) -> IntArray:
    """`part` in per cent of `whole`, truncated. Where a hundredfold would overflow, of numbers 100 times coarser."""
    fits = part <= INT64_MAX // 100
    exact = np.where(fits, part, 0) * 100 // whole
    coarse: IntArray = part // np.maximum(whole // 100, 1)
    return np.where(fits, exact, coarse)


def _dampened(fleet: Fleet, seen: Observation, first: _Usage, second: _Usage) -> IntArray:
    """The count after doubtful pods were filled in; it never turns the direction of the first ratio."""
    lane = fleet.tracks.lane
    spec = seen.spec_replicas[lane]
    wanted = _whole(second.ratio * second.count / seen.pods_per_replica[lane])
    turned = ((first.ratio < 1.0) & (second.ratio > 1.0)) | ((first.ratio > 1.0) & (second.ratio < 1.0))
    against = ((second.ratio < 1.0) & (wanted > spec)) | ((second.ratio > 1.0) & (wanted < spec))
    return np.where(_within(fleet, lane, second.ratio) | turned | against, spec, wanted)


def _note_faults(
    fleet: Fleet, seen: Observation, mine: BoolArray, read: tuple[BoolArray, _Usage], fault: SmallArray
) -> None:
    """Why tracks read by pod propose nothing; the first thing that would be noticed wins."""
    known, usage = read
    tracks, samples = fleet.tracks, seen.samples
    count = tracks.lane.size
    of_request = tracks.target_kind == TargetKind.UTILIZATION
    unset = (samples.pod != UNKNOWN) & (samples.request_milli == UNKNOWN) & of_request[samples.track]
    rules = (
        (~usage.matched, Fault.NO_MATCHING_POD),
        (_some(samples.track, unset, count), Fault.MISSING_REQUEST),
        (~_some(samples.track, known, count), Fault.NO_SAMPLES),
        ((listed_pods(seen.pods, fleet.lanes) == 0)[tracks.lane], Fault.NO_PODS),
        (~_some(samples.track, samples.present, count), Fault.NO_SAMPLES),
    )
    for rows, code in rules:  # the later rule wins
        fault[mine & rows] = code


def _some(track: IntArray, rows: BoolArray, count: int) -> BoolArray:
    found = booleans(count)
    found[track[rows]] = True
    return found

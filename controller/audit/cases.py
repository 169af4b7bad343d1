"""From what was read of a workload to a case to audit: capacity, serving limit, start-up, price, and assumptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.audit.queries import known_kind
from simulations.audit.autoscaler import (
    ASSUMED_TARGET_RATIO,
    SERVING_LIMIT_RATIO,
    About,
    Finding,
    QueryMetric,
    ResourceMetric,
    limit_over,
    per_cent,
    startup_finding,
)
from simulations.audit.case import Case, Measure, Seen, on_track, track_of_points
from simulations.audit.contenders import PACE
from simulations.audit.document import time_text
from simulations.audit.price import Size, replica_hour
from simulations.audit.verdict import Passed
from simulations.serving import DAY_S, Serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.audit.reading import Read
    from simulations.audit.case import Track
    from simulations.audit.price import Price

FEW_STARTS = 5


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What flags say of every workload; None where they say nothing."""

    capacity: float | None = None
    serving_limit_ratio: float | None = None
    startup_s: float | None = None
    default_startup_s: float = 60.0
    target_ratio: float = ASSUMED_TARGET_RATIO
    prices: Sequence[Price] = ()


@dataclass(frozen=True, slots=True)
class _Capacity:
    """What one replica serves at 100 %, where the incumbent aims in shares of it, and what that rests on."""

    amount: float
    target_ratio: float
    findings: tuple[Finding, ...] = field(default=())
    from_request: bool = False


def case_of(read: Read, assumed: Assumptions) -> Case | Passed:
    """The case, or why there is none."""
    scaled = read.load.scaled
    track = track_of_points(read.at_s, read.value, step_s=PACE.step_s)
    if track is None:
        query = read.load.ask.query.text
        why = f"its load has no samples in this span; does this Prometheus scrape its pods? It was asked: {query}"
        return Passed(scaled.uid, str(scaled), why)
    if not np.isfinite(read.paid).any():
        why = "its past replicas are not known: kube-state-metrics tells none of this name in this span"
        return Passed(scaled.uid, str(scaled), why)
    capacity = _capacity(read, assumed)
    if isinstance(capacity, str):
        return Passed(scaled.uid, str(scaled), capacity)
    limit, about_limit = _limit(capacity, assumed)
    startup_s, about_startup = _startup(read, assumed)
    size = Size(read.request_cores, read.gpus)
    price = replica_hour(assumed.prices, size)
    return Case(
        autoscaler=scaled,
        track=track,
        serving=Serving(PACE.step_s, capacity.amount, limit, startup_s, max(1, scaled.min_replicas)),
        measure=Measure(read.load.policy_query, read.load.unit, capacity.target_ratio, capacity.from_request),
        seen=_seen(read, track),
        replica_hour_price=price,
        findings=(
            *capacity.findings,
            *about_limit,
            *about_startup,
            *read.load.findings,
            *scaled.findings,
            *_about_history(read, track),
            *_about_replicas(read),
            *_about_price(assumed, price),
        ),
    )


def _capacity(read: Read, assumed: Assumptions) -> _Capacity | str:
    metric, request = read.load.metric, read.request_cores
    if isinstance(metric, ResourceMetric) and request is not None:
        ratio = metric.target_ratio or (metric.average_value or assumed.target_ratio * request) / request
        words = (
            f"a replica is taken to serve all of its CPU request (cores: {request:g}) at 100 %; where pods may use more"
            " than they request, real capacity is higher and fewer requests are late"
        )
        by_pod = metric.target_ratio is not None
        return _Capacity(request, min(1.0, ratio), (Finding(About.CAPACITY, words),), from_request=by_pod)
    if isinstance(metric, ResourceMetric) and metric.average_value is None:
        return (
            "its pods' CPU request is not known (kube_pod_container_resource_requests tells none), so 100 % has no size"
        )
    target = _target(read)
    if assumed.capacity is not None:
        ratio = min(1.0, target / assumed.capacity)
        return _Capacity(assumed.capacity, ratio, ())
    amount = target / assumed.target_ratio
    words = (
        f"what a replica can serve is not known: its target of {target:g} is taken as {per_cent(assumed.target_ratio)}"
        f" of the capacity, which makes {amount:.4g}; give what you measured with --capacity"
    )
    return _Capacity(amount, assumed.target_ratio, (Finding(About.CAPACITY, words),))


def _target(read: Read) -> float:
    metric = read.load.metric
    if isinstance(metric, QueryMetric):
        return metric.threshold
    return metric.average_value or 1.0


def _limit(capacity: _Capacity, assumed: Assumptions) -> tuple[float, tuple[Finding, ...]]:
    """Share of the capacity up to which a replica serves in time: as given, or assumed from where the owner aims."""
    if assumed.serving_limit_ratio is not None:
        return assumed.serving_limit_ratio, ()
    limit = limit_over(capacity.target_ratio)
    words = f"load above {per_cent(limit)} of a replica's capacity counts as late; this limit is assumed"
    if limit > SERVING_LIMIT_RATIO:
        words += f", raised because the autoscaler aims at {per_cent(capacity.target_ratio)}"
    return limit, (Finding(About.CAPACITY, f"{words} (give yours with --serving-limit)"),)


def _startup(read: Read, assumed: Assumptions) -> tuple[float, tuple[Finding, ...]]:
    if assumed.startup_s is not None:
        return assumed.startup_s, ()
    if read.started is None or read.started.count < FEW_STARTS:
        return assumed.default_startup_s, (startup_finding(assumed.default_startup_s),)
    startup_s = max(PACE.step_s, round(read.started.startup_s))
    words = f"pods took {startup_s:.0f} s from creation to readiness (90th percentile of {read.started.count} starts)"
    return startup_s, (Finding(About.STARTUP, words),)


def _seen(read: Read, track: Track) -> Seen:
    ready = np.where(np.isfinite(read.ready), read.ready, read.paid)
    paid = np.maximum(read.paid, ready)
    return Seen(on_track(track, read.at_s, paid), on_track(track, read.at_s, ready))


def _about_history(read: Read, track: Track) -> tuple[Finding, ...]:
    asked_s, missing_s = read.at_s[-1] - read.at_s[0], float(track.at_s[0] - read.at_s[0])
    if missing_s < DAY_S / 2:
        return ()
    words = (
        f"its load is known from {time_text(float(track.at_s[0]))} on: the last {(asked_s - missing_s) / DAY_S:.1f} of"
        f" {asked_s / DAY_S:.0f} days"
    )
    return (Finding(About.HISTORY, words),)


def _about_replicas(read: Read) -> tuple[Finding, ...]:
    scaled, found = read.load.scaled, []
    known = np.isfinite(read.paid)
    untold = 1.0
    if known_kind(scaled.target_kind):
        untold = float((known & ~np.isfinite(read.ready)).sum()) / max(1, int(known.sum()))
    if untold > 0:
        words = (
            f"ready replicas were not told for {per_cent(untold)} of the time; pods that were still starting count as"
            " ready then"
        )
        found.append(Finding(About.REPLICAS, words))
    if scaled.min_replicas == 0:
        found.append(Finding(About.REPLICAS, "it may go to zero replicas; the replay keeps at least one"))
    return tuple(found)


def _about_price(assumed: Assumptions, price: float | None) -> tuple[Finding, ...]:
    if not assumed.prices or price is not None:
        return ()
    units = ", ".join(f"{each.unit}-hour" for each in assumed.prices)
    return (Finding(About.PRICE, f"no money: what its pods request is not known, and the price is per {units}"),)

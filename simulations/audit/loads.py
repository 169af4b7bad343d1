"""Cases from load files: no replicas are known, so the incumbent is replayed as well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulations.audit.autoscaler import (
    PERCENT,
    About,
    Autoscaler,
    Finding,
    ResourceMetric,
    per_cent,
    startup_finding,
)
from simulations.audit.case import Case, Measure, track_of_load
from simulations.audit.contenders import PACE
from simulations.audit.price import Price, Size, replica_hour
from simulations.scenario import ReplayError
from simulations.serving import Serving, needed_replicas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulations.load_file import Load
    from simulations.protocol import Capacity

DEFAULT_STARTUP_S = 60.0
_ABOVE_PEAK = 2  # a load file tells no largest count: twice what its peak needs
_INCUMBENT = re.compile(r"hpa:(\d+(?:\.\d+)?)")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What holds for every load file: how it is served, who scales it today, and prices."""

    capacity: Capacity
    serving_limit_ratio: float = 0.8
    startup_s: float | None = None  # None: assumed
    target_ratio: float = 0.7  # of the incumbent
    prices: Sequence[Price] = ()


def incumbent_target(text: str) -> float:
    """The target of ``hpa:0.70``. Raises ReplayError."""
    found = _INCUMBENT.fullmatch(text)
    if found is None or not 0 < float(found[1]) <= 1:
        raise ReplayError(f"{text!r} is not hpa:TARGET with a share of capacity above 0 and up to 1, as in hpa:0.70")
    return float(found[1])


def case_of_load(name: str, load: Load, how: Replayed) -> Case:
    """The case of one load file. Raises ProtocolError for a load that is too short or a capacity that is 0."""
    track = track_of_load(load, step_s=PACE.step_s)
    capacity = how.capacity.of(track.demand, serving_limit_ratio=how.serving_limit_ratio)
    startup_s = DEFAULT_STARTUP_S if how.startup_s is None else how.startup_s
    findings = [
        Finding(
            About.REPLICAS,
            f"no past replicas are known for a load file: the incumbent is Kubernetes' rule, replayed at"
            f" {per_cent(how.target_ratio)} of capacity",
        )
    ]
    if how.capacity.plain is None:
        words = (
            f"a replica's capacity ({capacity:.4g}) is set by the load itself, so that its"
            f" {how.capacity.quantile_ratio * PERCENT:g}th percentile needs {how.capacity.replicas:g} replicas; give"
            " yours with --capacity"
        )
        findings.append(Finding(About.CAPACITY, words))
    if how.startup_s is None:
        findings.append(startup_finding(startup_s))
    serving = Serving(PACE.step_s, capacity, how.serving_limit_ratio, startup_s)
    most = _ABOVE_PEAK * int(needed_replicas(track.demand, serving).max())
    return Case(
        autoscaler=_incumbent(name, how.target_ratio, most),
        track=track,
        serving=serving,
        measure=Measure("load", "the file's unit", how.target_ratio),
        replica_hour_price=replica_hour(how.prices, Size()),
        findings=tuple(findings),
    )


def _incumbent(name: str, target_ratio: float, most: int) -> Autoscaler:
    plain = _NOT_IN_A_NAME.sub("-", name.lower()).strip("-") or "load"
    metric = ResourceMetric("load", target_ratio=target_ratio)
    return Autoscaler("HorizontalPodAutoscaler", "default", plain, "apps/v1", "Deployment", plain, 1, most, (metric,))

"""Short ways to a case of the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulations.audit.autoscaler import Autoscaler, ResourceMetric
from simulations.audit.case import Case, Measure, Seen, Track
from simulations.audit.contenders import Plan
from simulations.serving import Serving, ready_replicas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulations.audit.contenders import Who

START_S = 1_700_006_400.0  # a Wednesday, 00:00 UTC
STEP_S = 30.0
DAY = 2880  # steps


def autoscaler(name: str = "web", *, low: int = 1, high: int = 100) -> Autoscaler:
    cpu = ResourceMetric("cpu", target_ratio=0.7)
    return Autoscaler("HorizontalPodAutoscaler", "shop", name, "apps/v1", "Deployment", name, low, high, (cpu,))


def case(
    demand: Sequence[float] | np.ndarray,
    *,
    paid: Sequence[float] | np.ndarray | None = None,
    ready: Sequence[float] | np.ndarray | None = None,
    known: np.ndarray | None = None,
    scaled: Autoscaler | None = None,
    price: float | None = None,
    startup_s: float = 60.0,
) -> Case:
    """A case whose replicas serve 10 each at 100 %, and 8 in time."""
    load = np.asarray(demand, np.float64)
    track = Track(
        START_S + STEP_S * np.arange(float(load.size)), load, np.ones(load.size, np.bool_) if known is None else known
    )
    seen = None
    if paid is not None:
        of = np.asarray(paid, np.float64)
        seen = Seen(of, of if ready is None else np.asarray(ready, np.float64))
    scaled = scaled or autoscaler()
    return Case(
        scaled,
        track,
        Serving(STEP_S, 10.0, 0.8, startup_s, max(1, scaled.min_replicas)),
        Measure("sum(load)", "cores", 0.7),
        seen,
        price,
    )


def a_step_behind(case: Case, who: Who) -> Plan:
    """An engine that needs no time: everybody asks for what the step before needs in time."""
    del who
    behind = np.concatenate((case.track.demand[:1], case.track.demand[:-1]))
    needed = np.ceil(behind / 8.0).astype(np.int64)
    paid = np.clip(needed, case.serving.min_replicas, case.autoscaler.max_replicas)
    return Plan(paid, ready_replicas(paid, startup_steps=case.serving.startup_steps))

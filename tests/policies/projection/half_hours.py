"""Short ways to the origin of a projection and to a load, for tests of projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from policies.engine import decide
from policies.forecast.horizon import HorizonFit
from policies.model import Starts, Status, Why
from policies.projection.load import MINUTES, Load
from policies.projection.origin import Left, Origin, Tick, Told, origin_of
from policies.rows import demand_rows
from policies.state import EngineState
from tests.builders import one, readings, ready_pods, seen

if TYPE_CHECKING:
    from policies.model import Fleet, Observation


def origin(
    *,
    fleet: Fleet | None = None,
    replicas: int = 4,
    ready: int | None = None,
    load: float = 28.0,
    told: Told | None = None,
    readings_of: tuple[Status, Why] = (Status.FRESH, Why.OK),
    **more: Any,  # noqa: ANN401 - fields of an observation
) -> Origin:
    """The lane shop/web after one tick; at a capacity of 10 and 28 of load Kubernetes' rule asks for 4."""
    fleet = fleet or one()
    shown = ready_pods(replicas if ready is None else ready)
    read = readings([load] * len(fleet.tracks.uid), *readings_of)
    observation = seen([replicas], read, **{"pods": shown} | more)
    return after(fleet, observation, told)


def after(fleet: Fleet, observation: Observation, told: Told | None = None, lane: int = 0) -> Origin:
    """One lane after a tick that saw this; its scale asks for what was decided unless `told` says otherwise."""
    state, decision = decide(fleet, EngineState.fresh(fleet), observation)
    tick = Tick(fleet, observation, decision, Left(state, HorizonFit.empty(demand_rows(fleet))))
    return origin_of(tick, lane, told or Told(int(decision.replicas.target[lane])))


def steady(median: float, high: float | None = None, *, rows: int = 1) -> Load:
    """A load that stays: in replicas at the serving limit, of 8 each."""
    return ramp(median, median, high=high, rows=rows)


def ramp(first: float, last: float, *, high: float | None = None, rows: int = 1) -> Load:
    """A load that goes from one value to another in half an hour; at p90 `high` is added from minute 1 on."""
    median = np.linspace(first, last, MINUTES + 1)
    above = np.where(np.arange(MINUTES + 1) > 0, high or 0.0, 0.0)
    replicas = np.stack([median, median + above], axis=1)
    return Load(np.repeat(8.0 * replicas[np.newaxis], rows, axis=0), replicas)


def starting(*ages_s: float) -> Starts:
    """Pods of lane 0 that have been starting for so long."""
    return Starts(np.zeros(len(ages_s), np.int64), np.array(ages_s), np.zeros(len(ages_s), np.bool_))

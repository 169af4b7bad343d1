"""How many replicas each policy wants: the policies themselves, on what they see of the load."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.forecast.nearby import STEP_S
from policies.lead_time import LONGEST_LAG
from policies.schedules import begun_between, bounds_at, schedule_table
from policies.spec import Replicas
from policies.startup import DEFAULT_QUANTILE
from simulations.backtest import Aim, plans_of
from simulations.contenders import Daemon, parse_contender
from simulations.scenario import Pace
from simulations.scenario import Scenario as Lane
from simulations.serving import Serving, needed_replicas
from simulations.whatif.demand import WhatIfError

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from simulations.contenders import Contender
    from simulations.whatif.demand import Arriving
    from simulations.whatif.document import Policy, Replica, Scenario, Workload

_NOISE = 1e-9


class Power(NamedTuple):
    """What a replica of a workload serves under a policy, and how long it takes to start."""

    capacity: float  # at 100 %
    serving_limit_ratio: float
    startups: tuple[tuple[float, float], ...]  # share and seconds of each way

    @classmethod
    def of(cls, workload: Workload, policy: Policy, scenario: Scenario) -> Power:
        """With the policy's engine, and with the image pull on every node but a warm one."""
        replica, engine, pull_s = workload.replica, policy.engine, scenario.capacity.nodes.image_pull
        capacity, limit = served(replica)
        ways = tuple(
            (way.share, engine.startup * (way.time + (pull_s if place else 0.0)))
            for place, way in enumerate(replica.startup)
        )
        return cls(capacity * engine.capacity, limit, ways)

    @property
    def usual_startup_s(self) -> float:
        """What a policy plans with: the time within which nine of ten starts are done, as the daemon takes it."""
        done = 0.0
        for share, seconds in sorted(self.startups, key=lambda way: way[1]):
            done += share
            if done >= DEFAULT_QUANTILE - _NOISE:
                return seconds
        return max(seconds for _, seconds in self.startups)


def served(replica: Replica) -> tuple[float, float]:
    """What a replica serves at 100 %, and the share of it that it serves in time.

    Of batches, 100 % is the largest size / latency; in time is what the batches within the latency limit reach. Raises
    WhatIfError where no batch is within it.
    """
    if replica.batches is None or replica.latency_limit is None:
        return float(replica.capacity or 0.0), replica.serving_limit
    rates = [batch.size / batch.latency for batch in replica.batches]
    in_time = [batch.size / batch.latency for batch in replica.batches if batch.latency <= replica.latency_limit]
    if not in_time:
        fastest = min(batch.latency for batch in replica.batches)
        raise WhatIfError(
            f"latencyLimit ({replica.latency_limit:g} s) is below the fastest batch ({fastest:g} s); raise it"
        )
    return max(rates), max(in_time) / max(rates)


def targets(scenario: Scenario, policy: Policy, workload: Workload, arriving: Arriving) -> IntArray:
    """Replicas that the policy wants at each step of each run, within all bounds, `[run, step]`.

    A rule decides within the widest bounds that ever hold, and what it decides is narrowed to those of the step.
    """
    power = Power.of(workload, policy, scenario)
    low, high = _bounds(scenario, policy, workload, arriving.start_s)
    serving = Serving(
        scenario.step,
        power.capacity,
        power.serving_limit_ratio,
        power.usual_startup_s,
        int(low.min()),
        int(high.max()),
    )
    kind, _, count = policy.replicas.partition(":")
    shape = arriving.demand.shape
    if kind == "schedule":
        wanted = np.broadcast_to(low, shape)
    elif kind == "fixed" and count == "peak":
        most = needed_replicas(arriving.demand.max(axis=1, keepdims=True), serving)
        wanted = np.broadcast_to(most, shape)
    elif kind == "fixed":
        wanted = np.full(shape, int(count), np.int64)
    else:
        wanted = _decided(scenario, policy, arriving, serving)
    return np.clip(wanted, low, high).astype(np.int64)


def _decided(scenario: Scenario, policy: Policy, arriving: Arriving, serving: Serving) -> IntArray:
    """What a rule decides, by the same loops as a backtest."""
    contender = parse_contender(policy.replicas)
    if isinstance(contender, Daemon):
        return _foreseen(scenario, policy, contender, arriving, serving)
    pace = Pace(scenario.step, min(scenario.sync, scenario.step), scenario.metric_delay)
    lanes = [
        Lane(demand, known, arriving.start_s, pace, serving)
        for demand, known in zip(arriving.demand, arriving.known, strict=True)
    ]
    return np.array(plans_of(contender, lanes))


def _foreseen(
    scenario: Scenario, policy: Policy, contender: Contender, arriving: Arriving, serving: Serving
) -> IntArray:
    """What the daemon decides: on its own steps of 30 s, of which the last in each step of the scenario counts."""
    finer = round(scenario.step / STEP_S)
    delay_s = max(STEP_S, scenario.metric_delay)
    if finer * STEP_S != scenario.step or delay_s > LONGEST_LAG * STEP_S or arriving.start_s % STEP_S:
        raise WhatIfError(
            f"policy {policy.name}: {policy.replicas} decides every {STEP_S:g} s on a load at most "
            f"{LONGEST_LAG * STEP_S:g} s old: make step a multiple of {STEP_S:g}s and lower metricDelay"
        )
    pace = Pace(STEP_S, 15.0, delay_s)
    own = Serving(
        STEP_S,
        serving.capacity,
        serving.serving_limit_ratio,
        serving.startup_s,
        serving.min_replicas,
        serving.max_replicas,
    )
    lanes = [
        Lane(np.repeat(demand, finer), np.repeat(known, finer), arriving.start_s, pace, own)
        for demand, known in zip(arriving.demand, arriving.known, strict=True)
    ]
    plans = np.array(plans_of(contender, lanes, Aim(policy.late_each)))
    return plans[:, finer - 1 :: finer]


def _bounds(scenario: Scenario, policy: Policy, workload: Workload, start_s: float) -> tuple[IntArray, IntArray]:
    """Fewest and most replicas at each step, `[step]`: the workload's, replaced while windows are active."""
    own = [np.array([each], np.int64) for each in (workload.replica.min, workload.replica.max)]
    low, high = (np.full(scenario.steps, each[0]) for each in own)
    if not policy.schedule:
        return low, high
    replica = workload.replica
    table = schedule_table([Replicas.model_construct(min=replica.min, max=replica.max, schedules=policy.schedule)])
    at_s = start_s + np.arange(scenario.steps) * scenario.step
    turns = {0}
    for window in table.windows:
        begins = begun_between(window, from_s=float(at_s[0]), until_s=float(at_s[-1]) + scenario.step)
        edges = np.array([[begin, begin + window.duration_s] for begin in begins]).ravel()
        turns.update(np.searchsorted(at_s, edges).tolist())
    places = sorted(turn for turn in turns if turn < scenario.steps)
    for begin, end in zip(places, [*places[1:], scenario.steps], strict=True):
        least, most = bounds_at(table, *own, now_s=float(at_s[begin]))
        low[begin:end], high[begin:end] = least[0], most[0]
    return low, high

"""The mix `foresail`: the spot hedger that the daemon runs, asked at every step what it wants where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.mix.hedge import hedged
from policies.mix.model import Lanes, MixState, Pools
from simulations.whatif import physics

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.mix.model import MixPlan
    from simulations.whatif.physics import Course, Site, Standing


class Hedged:
    """One workload in some runs: lanes of the hedger are runs, and its pools the spot pools of each."""

    def __init__(self, site: Site, prices: FloatArray, *, startup_s: float, objective: float) -> None:
        """`prices` are those of a replica by pool, `[pool]`. Nothing was seen yet."""
        self._site, self._prices = site, prices
        self._startup_s, self._objective = startup_s, objective
        self._spot, self._others = np.flatnonzero(site.spot), np.flatnonzero(~site.spot)

    def run(self, standing: Standing, course: Course, *, start_s: float, step_s: float) -> None:
        """Go through all steps: what happened is seen, then the hedger decides, then replicas start and stop."""
        runs, steps = course.target.shape
        state = MixState.start(runs, runs * self._spot.size)
        for step in range(steps):
            physics.settled(self._site, standing, course, step)
            lanes, pools = self._seen(standing, course.target[:, step])
            state, plan = hedged(lanes, pools, state, now_s=start_s + step * step_s)
            told = course._replace(told=self._told(plan, runs))
            physics.placed(self._site, standing, told, step)

    def _seen(self, standing: Standing, target: IntArray) -> tuple[Lanes, Pools]:
        """What the hedger sees of the lanes and of their spot pools, lane by lane."""
        runs, held, ready = target.size, standing.held, standing.ready
        others = self._others
        lanes = Lanes.steady(
            target,
            startup_s=self._startup_s,
            objective=self._objective,
            on_demand_price=float(self._prices[others].min(initial=self._prices.max())),
        )
        lanes = replace(
            lanes,
            on_demand_ready=ready[:, others].sum(axis=1),
            on_demand_starting=(held - ready)[:, others].sum(axis=1),
            on_demand_refused=np.asarray(standing.refused[:, others].any(axis=1), np.bool_),
            on_demand_limit=np.full(runs, min(self._site.quota, int(self._site.most[others].sum())), np.int64),
        )
        pools = Pools.idle(np.repeat(np.arange(runs), self._spot.size), np.tile(self._prices[self._spot], runs))
        of_spot = np.ix_(np.arange(runs), self._spot)
        return lanes, replace(
            pools,
            limit=np.tile(self._site.most[self._spot], runs),
            ready=ready[of_spot].ravel(),
            starting=(held - ready)[of_spot].ravel(),
            lost=standing.lost[of_spot].ravel(),
            refused=standing.refused[of_spot].ravel(),
        )

    def _told(self, plan: MixPlan, runs: int) -> IntArray:
        """What is wanted of each pool, `[run, pool]`; of on-demand pools the cheapest are filled first."""
        told = np.zeros((runs, self._site.spot.size), np.int64)
        told[:, self._spot] = plan.wanted.reshape(runs, self._spot.size)
        left = plan.on_demand
        for pool in self._site.rank[~self._site.spot[self._site.rank]]:
            told[:, pool] = np.minimum(left, self._site.most[pool])
            left = left - told[:, pool]
        return told

"""What becomes of a plan, step by step, as one compiled loop: replicas start, are lost and refused, and serve.

Lanes are runs of one workload under one policy. Everything that is drawn comes in from outside, or is counted out of a
key, so that a lane is the same alone or among others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray
from policies.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int32]
    Rooms = NDArray[np.int16]
    Keys = NDArray[np.uint64]

UNLIMITED, REFUSED = 2**15 - 1, -1  # of `room`
ON_DEMAND, SPOT, SHARE, FALLBACK, TOLD = range(5)
LOAD, LATE, UNSERVED, AVAILABLE, REPLICAS, CHANGES, LOSSES = range(7)  # of `sums`
_NOISE = 1e-9  # a load this close to what the replicas can serve is served
_WEYL, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Site(NamedTuple):
    """What holds in every lane and at every step. A named tuple, as that is what compiled code can read."""

    spot: BoolArray  # else on-demand [pool]
    rank: IntArray  # pools, cheapest first [pool]
    most: IntArray  # replicas [pool]
    per_node: IntArray  # replicas that fit onto one node [pool]
    quota: int  # on-demand replicas over all pools
    dwell_steps: int  # that a released place is paid
    start_share: FloatArray  # ways of starting, cumulated [way]
    start_steps: IntArray  # [way]
    mix: int  # ON_DEMAND ... TOLD
    on_demand_share: float  # of SHARE
    spare: int  # of FALLBACK
    cheapest: bool  # pools are filled one after the other, else evenly
    capacity: float
    serving_limit_ratio: float
    patience_steps: float  # below 0: there is no backlog, and what is above the serving limit is unserved
    retry_ratio: float


class Standing(NamedTuple):
    """What stands in each lane; `run` moves it on in place."""

    held: IntArray  # replicas, starting ones included [lane, pool]
    ready: IntArray  # [lane, pool]
    due: IntArray  # that become ready, by step modulo the width [lane, pool, place]
    refused: BoolArray  # whether a launch was refused at the last step [lane, pool]
    lost: IntArray  # at the last step [lane, pool]
    kept: IntArray  # counts that may still be paid, falling [lane, pool, place]
    kept_step: IntArray  # and the step of each [lane, pool, place]
    kept_ends: IntArray  # first place and one past the last [lane, pool, 2]
    backlog: FloatArray  # load that waits, and load that comes again [lane, 2]
    sums: FloatArray  # over the scored steps [lane, LOAD ... LOSSES]

    @classmethod
    def empty(cls, site: Site, lanes: int) -> Standing:
        """Nothing stands yet."""
        pools, width, places = site.spot.size, int(site.start_steps.max()) + 1, site.dwell_steps + 2
        nothing = np.zeros((lanes, pools), np.int64)
        return cls(
            held=nothing,
            ready=nothing.copy(),
            due=np.zeros((lanes, pools, width), np.int64),
            refused=np.zeros((lanes, pools), np.bool_),
            lost=nothing.copy(),
            kept=np.zeros((lanes, pools, places), np.int64),
            kept_step=np.zeros((lanes, pools, places), np.int64),
            kept_ends=np.zeros((lanes, pools, 2), np.int64),
            backlog=np.zeros((lanes, 2)),
            sums=np.zeros((lanes, 7)),
        )


class Course(NamedTuple):
    """What comes to each lane at each step, and where the nodes that are paid are written."""

    target: IntArray  # replicas that the policy wants [lane, step]
    demand: FloatArray  # [lane, step]
    room: Rooms  # replicas that may stand; REFUSED: all may, and none is started [pool, lane, step]
    key: Keys  # of the draws of start-ups [lane]
    nodes: Counts  # written: paid at each step [pool, lane, step]
    first_scored: int
    told: IntArray  # replicas wanted by pool, of the mix TOLD, at the one step that is run [lane, pool]


def run(site: Site, standing: Standing, course: Course, steps: range) -> None:
    """Move `standing` on over these steps, in place. The first replicas of all are ready at once."""
    _run(site, standing, course, steps.start, steps.stop)


@compiled
def _run(site: Site, standing: Standing, course: Course, begin: int, end: int) -> None:
    for lane in range(course.demand.shape[0]):
        for step in range(begin, end):
            scored = step >= course.first_scored
            lost = _settle(site, standing, course, lane, step)
            started = _placed(site, standing, course, lane, step)
            for pool in range(site.spot.size):
                paid = standing.held[lane, pool]
                if site.dwell_steps > 0:
                    paid = _kept(site, standing, lane, pool, step)
                course.nodes[pool, lane, step] = -(-paid // site.per_node[pool])
            if scored:
                sums = standing.sums[lane]
                sums[CHANGES] += lost + started if step > course.first_scored else 0
                sums[LOSSES] += lost
                for pool in range(site.spot.size):
                    sums[REPLICAS] += standing.held[lane, pool]
            _serve(site, standing, course.demand[lane, step], lane, scored)


@compiled
def _settle(site: Site, standing: Standing, course: Course, lane: int, step: int) -> int:
    """Replicas that started are ready, and those that lost their place are gone; how many were lost."""
    total, width = 0, standing.due.shape[2]
    for pool in range(site.spot.size):
        standing.ready[lane, pool] += standing.due[lane, pool, step % width]
        standing.due[lane, pool, step % width] = 0
        standing.lost[lane, pool] = 0
        room = course.room[pool, lane, step]
        if room < 0 or room == UNLIMITED:
            continue
        lost = standing.held[lane, pool] - room * site.per_node[pool]
        if lost > 0:
            for _ in range(lost):
                _release(standing, lane, pool, step)
            standing.lost[lane, pool] = lost
            standing.kept_ends[lane, pool] = 0  # a lost node is not paid any more
            total += lost
    return total


@compiled
def _placed(site: Site, standing: Standing, course: Course, lane: int, step: int) -> int:
    """Start and stop replicas; how many."""
    target, changed = course.target[lane, step], 0
    if site.mix == TOLD:
        for pool in range(site.spot.size):
            wanted = course.told[lane, pool]
            standing.refused[lane, pool] = False
            while standing.held[lane, pool] < wanted:
                if not _can_start(site, standing, course, lane, pool, step):
                    standing.refused[lane, pool] = True
                    break
                _start(site, standing, course.key[lane], lane, pool, step, changed)
                changed += 1
            while standing.held[lane, pool] > wanted:
                _release(standing, lane, pool, step)
                changed += 1
        return changed
    spot = 0
    if site.mix == SPOT:
        spot = target
    elif site.mix == SHARE:
        spot = target - int(np.ceil(site.on_demand_share * target - _NOISE))
    elif site.mix == FALLBACK:
        spot = target + site.spare
    changed = _moved(site, standing, course, lane, step, True, spot, changed)
    on_demand = target - spot
    if site.mix == FALLBACK:
        on_demand = spot
        for pool in range(site.spot.size):
            if site.spot[pool]:
                on_demand -= standing.ready[lane, pool]
    return _moved(site, standing, course, lane, step, False, max(0, on_demand), changed)


@compiled
def _moved(site: Site, standing: Standing, course: Course, lane: int, step: int, spot: bool, wanted: int, changed: int) -> int:
    """Bring all pools of one type to what is wanted together; how many changes there are now."""
    held = 0
    for pool in range(site.spot.size):
        if site.spot[pool] == spot:
            held += standing.held[lane, pool]
    while held < wanted:
        chosen = -1
        for pool in site.rank:
            if site.spot[pool] == spot and _can_start(site, standing, course, lane, pool, step):
                if chosen < 0 or (not site.cheapest and standing.held[lane, pool] < standing.held[lane, chosen]):
                    chosen = pool
        if chosen < 0:
            break
        _start(site, standing, course.key[lane], lane, chosen, step, changed)
        held += 1
        changed += 1
    while held > wanted:
        chosen = -1
        for pool in site.rank:
            if site.spot[pool] == spot and standing.held[lane, pool] > 0:
                if chosen < 0 or site.cheapest or standing.held[lane, pool] >= standing.held[lane, chosen]:
                    chosen = pool
        _release(standing, lane, chosen, step)
        held -= 1
        changed += 1
    return changed


@compiled
def _can_start(site: Site, standing: Standing, course: Course, lane: int, pool: int, step: int) -> bool:
    held, room = standing.held[lane, pool], course.room[pool, lane, step]
    if room < 0 or held >= site.most[pool]:
        return False
    if room != UNLIMITED and held >= room * site.per_node[pool]:
        return False
    if site.spot[pool]:
        return True
    total = 0
    for each in range(site.spot.size):
        if not site.spot[each]:
            total += standing.held[lane, each]
    return total < site.quota


@compiled
def _start(site: Site, standing: Standing, key: int, lane: int, pool: int, step: int, number: int) -> None:
    """Start one replica, by a way that is drawn for the step and the number of the start within it."""
    standing.held[lane, pool] += 1
    way = 0
    if site.start_share.size > 1:
        drawn = _uniform(key, step, number)
        while way < site.start_share.size - 1 and drawn >= site.start_share[way]:
            way += 1
    takes = site.start_steps[way]
    if takes == 0 or step == 0:
        standing.ready[lane, pool] += 1
    else:
        standing.due[lane, pool, (step + takes) % standing.due.shape[2]] += 1


@compiled
def _release(standing: Standing, lane: int, pool: int, step: int) -> None:
    """Stop one replica: the one that would be ready last, else one that is ready."""
    held, ready, width = standing.held[lane, pool], standing.ready[lane, pool], standing.due.shape[2]
    standing.held[lane, pool] = held - 1
    if held == ready:
        standing.ready[lane, pool] = ready - 1
        return
    for ahead in range(width - 1, 0, -1):
        if standing.due[lane, pool, (step + ahead) % width] > 0:
            standing.due[lane, pool, (step + ahead) % width] -= 1
            return


@compiled
def _kept(site: Site, standing: Standing, lane: int, pool: int, step: int) -> int:
    """The largest count of the last `dwell_steps` and this step: a queue of falling counts, as long as they count."""
    counts, at = standing.kept[lane, pool], standing.kept_step[lane, pool]
    places, ends, held = counts.size, standing.kept_ends[lane, pool], standing.held[lane, pool]
    while ends[1] > ends[0] and counts[(ends[1] - 1) % places] <= held:
        ends[1] -= 1
    counts[ends[1] % places], at[ends[1] % places] = held, step
    ends[1] += 1
    if at[ends[0] % places] < step - site.dwell_steps:
        ends[0] += 1
    return int(counts[ends[0] % places])


@compiled
def _serve(site: Site, standing: Standing, demand: float, lane: int, scored: bool) -> None:
    """Serve one step's load with the replicas that are ready."""
    ready = 0
    for pool in range(site.spot.size):
        ready += standing.ready[lane, pool]
    most = ready * site.capacity
    able = most * site.serving_limit_ratio
    backlog = standing.backlog[lane]
    offered = demand + backlog[0] + backlog[1]
    late = offered > able + _NOISE
    if site.patience_steps < 0:
        unserved = max(0.0, demand - able)
    else:
        left = max(0.0, offered - most)
        dropped = max(0.0, left - most * site.patience_steps)
        backlog[0], backlog[1] = left - dropped, dropped * site.retry_ratio
        unserved = dropped - backlog[1]
    if scored:
        sums = standing.sums[lane]
        sums[LOAD] += demand
        sums[LATE] += demand if late else 0.0
        sums[UNSERVED] += unserved
        sums[AVAILABLE] += 1.0 if unserved <= _NOISE else 0.0


@compiled
def _uniform(key: int, step: int, number: int) -> float:
    """A number from 0 up to 1 out of a key and a place (SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = np.uint64(key) + _WEYL * (np.uint64(step) * np.uint64(65_536) + np.uint64(number) + np.uint64(1))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    mixed = mixed ^ (mixed >> np.uint64(31))
    return float(mixed >> np.uint64(11)) * 2.0**-53

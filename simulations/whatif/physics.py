"""What becomes of a plan, step by step, as one compiled loop: replicas start, are lost and refused, and serve.

Lanes are runs of one workload under one policy. Everything that is drawn comes in from outside, or is counted out of a
key, so that a lane is the same alone or among others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray, IntArray

    Rooms = NDArray[np.int16]
    Keys = NDArray[np.uint64]

UNLIMITED, REFUSED = 2**15 - 1, -1  # of `room`
ON_DEMAND, SPOT, SHARE, FALLBACK, TOLD = range(5)
BOTH, FIRST, SECOND = range(3)  # halves of a step
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
    base: int  # replicas that are always on demand, of FALLBACK
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
    """What comes to each lane at each step, and where it is written what is paid."""

    target: IntArray  # replicas that the policy wants [lane, step]
    demand: FloatArray  # [lane, step]
    room: Rooms  # replicas that may stand; REFUSED: all may, and none is started [pool, lane, step]
    key: Keys  # of the draws of start-ups [lane]
    paid: IntArray  # written: replicas whose place is paid [pool, lane, step]
    serving: IntArray  # written: replicas that are ready [lane, step]; without lanes nobody asks for them
    first_scored: int
    told: IntArray  # replicas wanted by pool, of the mix TOLD, at the one step that is run [lane, pool]


def run(site: Site, standing: Standing, course: Course, steps: range) -> None:
    """Move `standing` on over these steps, in place. The first replicas of all are ready at once."""
    _run(site, standing, course, (steps.start, steps.stop), BOTH)


def settled(site: Site, standing: Standing, course: Course, step: int) -> None:
    """The first half of a step: who started is ready, and who lost its place is gone. `placed` is the other."""
    _run(site, standing, course, (step, step + 1), FIRST)


def placed(site: Site, standing: Standing, course: Course, step: int) -> None:
    """The second half of a step: replicas start and stop, and the load is served."""
    _run(site, standing, course, (step, step + 1), SECOND)


@compiled
def _run(site: Site, standing: Standing, course: Course, steps: tuple[int, int], half: int) -> None:
    """Go through all lanes and steps. What is in a tuple is taken out of it once: each use of one costs as a call."""
    spot, per_node, dwell_steps, mix, pools = site.spot, site.per_node, site.dwell_steps, site.mix, site.spot.size
    capacity, limit, patience_steps = site.capacity, site.serving_limit_ratio, site.patience_steps
    held, ready, due, lost = standing.held, standing.ready, standing.due, standing.lost
    kept, kept_step, kept_ends = standing.kept, standing.kept_step, standing.kept_ends
    backlog, sums = standing.backlog, standing.sums
    target, demand, room = course.target, course.demand, course.room
    places_paid, serving = course.paid, course.serving
    width, places = due.shape[2], kept.shape[2]
    for lane in range(demand.shape[0]):
        for step in range(steps[0], steps[1]):
            gone, spot_held, other_held, slot = 0, 0, 0, step % width
            for pool in range(pools):  # who started is ready, and who lost its place is gone
                if half != SECOND:
                    ready[lane, pool] += due[lane, pool, slot]
                    due[lane, pool, slot] = 0
                    lost[lane, pool] = 0
                space = room[pool, lane, step]
                if 0 <= space < UNLIMITED and held[lane, pool] > space * per_node[pool]:
                    lost[lane, pool] = held[lane, pool] - space * per_node[pool]
                    for _ in range(lost[lane, pool]):
                        _release(held, ready, due, (lane, pool, step))
                    kept_ends[lane, pool, 1] = kept_ends[lane, pool, 0]  # a lost node is not paid any more
                gone += lost[lane, pool]
                if spot[pool]:
                    spot_held += held[lane, pool]
                else:
                    other_held += held[lane, pool]

            if half == FIRST:
                continue

            wanted, changed = target[lane, step], 0  # start and stop
            if mix == TOLD:
                changed = _told(site, standing, course, lane, step)
            else:
                of_spot = 0
                if mix == SPOT:
                    of_spot = wanted
                elif mix == SHARE:
                    of_spot = wanted - int(np.ceil(site.on_demand_share * wanted - _NOISE))
                elif mix == FALLBACK:
                    of_spot = max(0, wanted + site.spare - site.base)
                if of_spot != spot_held:
                    changed += _moved(site, standing, course, (lane, step, changed), (True, of_spot))
                of_others = wanted - of_spot
                if mix == FALLBACK:
                    of_others = of_spot + min(site.base, wanted + site.spare)
                    for pool in range(pools):
                        of_others -= ready[lane, pool] if spot[pool] else 0
                    of_others = max(min(site.base, wanted + site.spare), of_others)
                if of_others != other_held:
                    changed += _moved(site, standing, course, (lane, step, changed), (False, of_others))

            able, standing_now = 0, 0
            for pool in range(pools):  # what is paid: the largest count of the dwell, a queue of falling counts
                paid = held[lane, pool]
                able += ready[lane, pool]
                standing_now += paid
                if dwell_steps > 0:
                    first, last = kept_ends[lane, pool]
                    while last > first and kept[lane, pool, (last - 1) % places] <= paid:
                        last -= 1
                    kept[lane, pool, last % places], kept_step[lane, pool, last % places] = paid, step
                    if kept_step[lane, pool, first % places] < step - dwell_steps:
                        first += 1
                    paid = kept[lane, pool, first % places]
                    kept_ends[lane, pool, 0], kept_ends[lane, pool, 1] = first, last + 1
                places_paid[pool, lane, step] = paid

            if lane < serving.shape[0]:
                serving[lane, step] = able
            load = demand[lane, step]
            in_time = able * capacity * limit
            if patience_steps < 0:
                late = load > in_time + _NOISE
                unserved = max(0.0, load - in_time)
            else:
                offered = load + backlog[lane, 0] + backlog[lane, 1]
                late = offered > in_time + _NOISE
                left = max(0.0, offered - able * capacity)
                dropped = max(0.0, left - able * capacity * patience_steps)
                backlog[lane, 0], backlog[lane, 1] = left - dropped, dropped * site.retry_ratio
                unserved = dropped - backlog[lane, 1]
            if step >= course.first_scored:
                sums[lane, LOAD] += load
                sums[lane, UNSERVED] += unserved
                sums[lane, REPLICAS] += standing_now
                sums[lane, LOSSES] += gone
                if late:
                    sums[lane, LATE] += load
                if unserved <= _NOISE:
                    sums[lane, AVAILABLE] += 1.0
                if step > course.first_scored:
                    sums[lane, CHANGES] += gone + changed


@compiled
def _moved(
    site: Site, standing: Standing, course: Course, place: tuple[int, int, int], change: tuple[bool, int]
) -> int:
    """Bring all pools of one type to what is wanted together; how many replicas were started and stopped."""
    lane, step, before = place
    of_spot, wanted = change
    held, ready, due, room, key = standing.held, standing.ready, standing.due, course.room, course.key[lane]
    spot, rank, most, per_node, cheapest = site.spot, site.rank, site.most, site.per_node, site.cheapest
    start_share, start_steps, quota = site.start_share, site.start_steps, site.quota
    changed, total, last = 0, 0, start_share.size - 1
    for pool in rank:
        total += held[lane, pool] if spot[pool] == of_spot else 0
    while total < wanted and (of_spot or total < quota):
        chosen = -1
        for pool in rank:
            fits = _fits(held[lane, pool], room[pool, lane, step], most[pool], per_node[pool])
            better = chosen < 0 or (not cheapest and held[lane, pool] < held[lane, chosen])
            if spot[pool] == of_spot and fits and better:
                chosen = pool
        if chosen < 0:
            return changed
        way, drawn = 0, _uniform(key, step, before + changed) if last else 0.0
        while way < last and drawn >= start_share[way]:
            way += 1
        _start(held, ready, due, (lane, chosen, step), start_steps[way])
        total, changed = total + 1, changed + 1
    while total > wanted:
        chosen = -1
        for pool in rank:
            better = chosen < 0 or cheapest or held[lane, pool] >= held[lane, chosen]
            if spot[pool] == of_spot and held[lane, pool] > 0 and better:
                chosen = pool
        _release(held, ready, due, (lane, chosen, step))
        total, changed = total - 1, changed + 1
    return changed


@compiled
def _told(site: Site, standing: Standing, course: Course, lane: int, step: int) -> int:
    """Bring each pool to what is wanted of it; how many replicas were started and stopped."""
    held, ready, due, changed, on_demand = standing.held, standing.ready, standing.due, 0, 0
    for pool in range(site.spot.size):
        on_demand += 0 if site.spot[pool] else held[lane, pool]
    for pool in range(site.spot.size):
        wanted, space = course.told[lane, pool], course.room[pool, lane, step]
        standing.refused[lane, pool] = False
        while held[lane, pool] < wanted:
            fits = _fits(held[lane, pool], space, site.most[pool], site.per_node[pool])
            if not fits or not (site.spot[pool] or on_demand < site.quota):
                standing.refused[lane, pool] = True
                break
            way, drawn = 0, _uniform(course.key[lane], step, changed)
            while way < site.start_share.size - 1 and drawn >= site.start_share[way]:
                way += 1
            _start(held, ready, due, (lane, pool, step), site.start_steps[way])
            changed += 1
            on_demand += 0 if site.spot[pool] else 1
        while held[lane, pool] > wanted:
            _release(held, ready, due, (lane, pool, step))
            changed += 1
            on_demand -= 0 if site.spot[pool] else 1
    return changed


@compiled
def _fits(held: int, room: int, most: int, per_node: int) -> bool:
    """Whether a pool takes one more replica now."""
    return room >= 0 and held < most and (room == UNLIMITED or held < room * per_node)


@compiled
def _start(held: IntArray, ready: IntArray, due: IntArray, place: tuple[int, int, int], takes: int) -> None:
    """Start one replica, by the way that was drawn for it; those of the first step are ready at once."""
    lane, pool, step = place
    held[lane, pool] += 1
    if takes == 0 or step == 0:
        ready[lane, pool] += 1
    else:
        due[lane, pool, (step + takes) % due.shape[2]] += 1


@compiled
def _release(held: IntArray, ready: IntArray, due: IntArray, place: tuple[int, int, int]) -> None:
    """Stop one replica: the one that would be ready last, else one that is ready."""
    lane, pool, step = place
    held[lane, pool] -= 1
    if held[lane, pool] < ready[lane, pool]:
        ready[lane, pool] -= 1
        return
    width = due.shape[2]
    for ahead in range(width - 1, 0, -1):
        if due[lane, pool, (step + ahead) % width] > 0:
            due[lane, pool, (step + ahead) % width] -= 1
            return


@compiled
def _uniform(key: int, step: int, number: int) -> float:
    """A number from 0 up to 1 out of a key and a place (SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = np.uint64(key) + _WEYL * (np.uint64(step) * np.uint64(65_536) + np.uint64(number) + np.uint64(1))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    mixed = mixed ^ (mixed >> np.uint64(31))
    return float(mixed >> np.uint64(11)) * 2.0**-53

"""The tournament: every candidate replayed in shadow on what really came, and who is in charge.

A candidate orders what one expert's forecast needs at `z` scales above its mean, and keeps the largest order of its
last `hold` steps. All are replayed with the lane's own start-up: an order serves one start-up later, and what is
released goes at once. In charge is the candidate that costs least with lateness above the budget priced; a load that
no candidate could have served in time is charged to none. The `z` of the one in charge is then trimmed by what really
came late, so that the budget is kept in the long run: each late share moves it up and each share in time down, as in
Gibbs and Candes, "Adaptive conformal inference under distribution shift", NeurIPS 2021.

What is ordered is the mean of the one in charge and of those whose score is nearly as good, weighted by how nearly: the
best of hundreds of noisy scores is not believed alone, and charge changes hands smoothly.

Two more candidates order without a margin of their own: the incumbent, which is Kubernetes' rule at its settings, and
seasonal-naive, what a load needed at this time yesterday.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from policies.arrays import BoolArray, FloatArray, IntArray, integers
from policies.compiled import compiled
from policies.contest import Ruling

if TYPE_CHECKING:
    from policies.contest import Came, Forecasts, Terms

StatArray = NDArray[np.float32]
CountArray = NDArray[np.int32]

STEPS_A_DAY = 2880
EXPECTED = 1  # the expert that tells what is expected when an order made now serves
EXPERTS = 3  # the largest until then, the value then, and the middle of both with a calmer scale
SCALES = np.array([-0.5, 0.0, 0.5, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0])
HOLDS = np.array([0, 2, 5, 10, 20, 40, 120])  # steps
GRID = EXPERTS * SCALES.size * HOLDS.size
INCUMBENT, SEASONAL = GRID, GRID + 1
CANDIDATES, FAMILIES = GRID + 2, EXPERTS + 2
CALM = 0.75  # exponent of the third expert's scale
REMEMBERED = 121  # steps of forecasts and own orders kept, for the longest hold and the longest start-up
SLOTS = 12  # minima of orders kept per candidate; a start-up of more steps keeps minima over several
SPANS, HALF_LIFE_STEPS = 2, np.array([1.0 * STEPS_A_DAY, 7.0 * STEPS_A_DAY])  # of memory: a day and a week
CHOOSE_EVERY = 20  # steps
NEARLY, LEAST_WEIGHT = 0.01, 0.01  # of a score: one that is so much worse has a weight of 1 / e
PRICE = 0.15  # of lateness above the target: as much again as the budget is worth 15 % of the cost
TARGET, FEEDBACK = 0.82, 0.25  # share of the budget that is aimed at; how strongly realised lateness moves that
REALISED_STEPS = 14.0 * STEPS_A_DAY  # half-life of realised lateness
TRIM = 0.0003  # scales by which a step of a mean load in time lowers the trim, a late one raises it 1 / budget as much
TRIM_LEAST, TRIM_MOST, TRIM_RISE = -1.5, 3.0, 0.5  # and the most that one step raises it by
HEAVY = 3.0  # in the trim a load counts as so many mean loads at most
HEARD_STEPS = STEPS_A_DAY // 24  # with a known load, before loads are charged and the one in charge may raise,
EVIDENCE_STEPS = STEPS_A_DAY  # and before it decides alone
INCUMBENT_LEAST, INCUMBENT_MOST = 0.0001, 0.5  # budget of a lane that may be as late as its incumbent
HOUR_STEPS, HOUR_SPENT, HOUR_SCALES = 120.0, 0.5, 3.0  # from half of an hour's budget on, up to 3 scales are added
HEADROOM = 0.4  # no candidate orders for more than 1.5 times the largest load of about a week
_OUTSIDE_COST = math.log(1.4)  # of those without a margin, before any evidence
BEGUN_STEPS, USUAL_STEPS = STEPS_A_DAY / 2.0, STEPS_A_DAY / 6.0  # weight of what came on other loads; of the first load
_KNOWN, _AWAITED = 2, 20  # usable as it is; steps after which replicas that were ordered and never came are nobody's
_NEVER, _LARGEST, _NOISE = 1 << 30, math.log(2.0**31), 1e-9
_LATE_NEAR, _LATE_FAR = np.array([-0.81, -0.282, -0.565, -0.354]), np.array([-0.64, -0.257, -0.391, -0.239])
_COST_NEAR, _COST_FAR = np.array([0.06, 0.071, 0.018, 0.070]), np.array([0.09, 0.123, 0.053, 0.062])


@dataclass(frozen=True, slots=True)
class Scores:
    """What the tournament remembers."""

    cost: StatArray  # decayed sums of orders and churn [lane, span, candidate]
    late: StatArray  # of load that came late [lane, span, candidate]
    load: FloatArray  # of load [lane, span]
    minima: CountArray  # smallest orders, newest first [lane, candidate, slot]
    before: CountArray  # last order [lane, candidate]
    level: FloatArray  # forecasts of the last steps, newest first: log demand of each expert [lane, expert, step]
    scale: FloatArray  # and its scale
    weight: StatArray  # share in the order [lane, candidate of the grid]
    sharing: IntArray  # others than the one in charge that have one [lane]
    upper: FloatArray  # log demand that was last forecast, with the margin that is in the order, if it has one [lane]
    own: IntArray  # own orders, newest first [lane, step]
    in_charge: IntArray  # candidate [lane]
    runner_up: IntArray  # candidate [lane]
    trim: FloatArray  # scales added to the candidate's [lane]
    usual: FloatArray  # decayed sums of load and of steps, by the week [lane, 2]
    realised: FloatArray  # decayed sums of late load, of load, and of late load that orders could have served [lane, 3]
    hour: FloatArray  # own late load of the last hour or so [lane]
    steps: IntArray  # [lane]
    known: IntArray  # of which the load is known [lane]

    @classmethod
    def empty(cls, lanes: int) -> Scores:
        """No step yet."""
        return cls(
            cost=np.zeros((lanes, SPANS, CANDIDATES), np.float32),
            late=np.zeros((lanes, SPANS, CANDIDATES), np.float32),
            load=np.zeros((lanes, SPANS)),
            minima=np.zeros((lanes, CANDIDATES, SLOTS), np.int32),
            before=np.zeros((lanes, CANDIDATES), np.int32),
            level=np.full((lanes, EXPERTS, REMEMBERED), -np.inf),
            scale=np.zeros((lanes, EXPERTS, REMEMBERED)),
            weight=np.zeros((lanes, GRID), np.float32),
            sharing=integers(lanes),
            upper=np.full(lanes, -np.inf),
            own=np.zeros((lanes, REMEMBERED), np.int64),
            in_charge=integers(lanes, -1),
            runner_up=integers(lanes, -1),
            trim=np.zeros(lanes),
            usual=np.zeros((lanes, 2)),
            realised=np.zeros((lanes, 3)),
            hour=np.zeros(lanes),
            steps=integers(lanes),
            known=integers(lanes),
        )

    def copied(self) -> Scores:
        """Arrays of its own, to be written to."""
        return Scores(*(getattr(self, each.name).copy() for each in fields(self)))


# `Scores` as compiled code reads them.
_Columns = NamedTuple("_Columns", [(each.name, NDArray) for each in fields(Scores)])  # type: ignore[misc]  # no literals


def rulings(scores: Scores, forecasts: Forecasts, came: Came, terms: Terms) -> Ruling:
    """Who is in charge at each step and what it orders; `scores` is written in place.

    `came` is what is known when the step is decided: the load of `lag` steps ago. A step whose load is not known
    lowers nobody's order. Blocks of any length give what one step at a time gives.
    """
    lanes, steps = forecasts.base.shape
    ruling = Ruling.empty(lanes, steps)
    columns = _Columns(*(getattr(scores, each.name) for each in fields(scores)))
    _rulings(cast("Scores", columns), forecasts, came, terms, ruling)
    return ruling


@compiled
def _rulings(scores: Scores, forecasts: Forecasts, came: Came, terms: Terms, ruling: Ruling) -> None:
    orders, missed = np.empty(CANDIDATES, np.int64), np.empty(CANDIDATES, np.bool_)
    for lane in range(ruling.order.shape[0]):
        startup, low, high = terms.startup[lane], terms.low[lane], terms.high[lane]
        bounds = (low, high, terms.hold[lane])
        merged = 1 if startup < SLOTS else (startup + SLOTS - 2) // (SLOTS - 1)
        for step in range(ruling.order.shape[1]):
            demand, usable = came.demand[lane, step], came.usable[lane, step]
            n = scores.steps[lane]
            if usable > 0 and scores.known[lane] < HEARD_STEPS:
                _begun(scores, lane, demand, startup, terms.budget[lane])
            elif usable > 0:
                _charged(scores, came, terms, (lane, step, merged), missed)
            _remembered(scores, forecasts, lane, step)
            most = forecasts.peak[lane, step] + HEADROOM
            _ordered(scores.level[lane], scores.scale[lane], most, bounds, orders)
            orders[INCUMBENT] = forecasts.incumbent[lane, step]
            orders[SEASONAL] = _replicas(min(forecasts.yesterday[lane, step], most), low, high)
            for candidate in range(CANDIDATES):
                before = scores.before[lane, candidate]
                order = max(orders[candidate], before) if usable < _KNOWN and n > 0 else orders[candidate]
                minima = scores.minima[lane, candidate]
                if n % merged == 0:
                    for slot in range(SLOTS - 1, 0, -1):
                        minima[slot] = minima[slot - 1]
                minima[0] = order if n % merged == 0 else min(minima[0], order)
                if usable > 0:
                    price = order + (terms.churn[lane] * abs(order - before) if n > 0 else 0.0)
                    for span in range(SPANS):
                        scores.cost[lane, span, candidate] += price
                scores.before[lane, candidate] = order
            if scores.usual[lane, 1] > 0.0 and (n % CHOOSE_EVERY == 0 or scores.in_charge[lane] < 0):
                eligible = CANDIDATES if scores.known[lane] >= EVIDENCE_STEPS else GRID
                aims = (_budget(scores, terms, lane), terms.price[lane])
                scores.in_charge[lane], scores.runner_up[lane] = _cheapest(
                    (scores.cost[lane], scores.late[lane]), scores.load[lane], aims, eligible, scores.weight[lane]
                )
                scores.sharing[lane] = (scores.weight[lane] > 0).sum() - 1
            chosen, order = scores.in_charge[lane], low
            ruling.expected[lane, step] = ruling.upper[lane, step] = scores.level[lane, EXPECTED, 0]
            trim = scores.trim[lane] + _hurry(scores, lane, terms.hour[lane])
            if 0 <= chosen < GRID or (chosen >= GRID and trim > 0.0):
                place = scores.level[lane], scores.scale[lane], scores.weight[lane]
                order, ruling.upper[lane, step] = _blended(place, most, bounds, trim)
            if chosen >= GRID:
                order = max(order, scores.before[lane, chosen])
            order = max(order, scores.own[lane, 0]) if usable < _KNOWN and n > 0 else order
            for back in range(REMEMBERED - 1, 0, -1):
                scores.own[lane, back] = scores.own[lane, back - 1]
            scores.own[lane, 0] = order
            ruling.order[lane, step], ruling.candidate[lane, step] = order, chosen
            ruling.known[lane, step], scores.upper[lane] = scores.known[lane], ruling.upper[lane, step]
            scores.steps[lane] = n + 1


@compiled
def _begun(scores: Scores, lane: int, demand: float, startup: int, budget: float) -> None:
    """Scores before any evidence: half a day of what such candidates do on other loads, at the mean load so far."""
    scores.known[lane] += 1
    before = scores.usual[lane, 0] / max(scores.usual[lane, 1], 1.0)
    demand = before + (demand - before) / scores.known[lane]
    far = min(max(math.log(max(startup, 1) / 2.0) / math.log(5.0), 0.0), 1.5)
    for candidate in range(CANDIDATES):
        rest = candidate % (SCALES.size * HOLDS.size)
        z, hold = SCALES[rest // HOLDS.size], math.log(1.0 + HOLDS[rest % HOLDS.size])
        late, cost = 0.0, 0.0
        for term, value in enumerate((1.0, z, min(z, 3.0), hold)):
            late += (_LATE_NEAR[term] + far * (_LATE_FAR[term] - _LATE_NEAR[term])) * value
            cost += (_COST_NEAR[term] + far * (_COST_FAR[term] - _COST_NEAR[term])) * value
        if candidate >= GRID:
            late, cost = math.log(budget), _OUTSIDE_COST
        for span in range(SPANS):
            scores.late[lane, span, candidate] = BEGUN_STEPS * demand * min(1.0, math.exp(late))
            scores.cost[lane, span, candidate] = BEGUN_STEPS * max(demand, 1.0) * math.exp(cost)
    scores.load[lane, :] = BEGUN_STEPS * demand
    scores.usual[lane, 0], scores.usual[lane, 1] = USUAL_STEPS * demand, USUAL_STEPS
    scores.realised[lane, :] = 240.0 * demand * np.array([budget, 1.0, budget])


@compiled
def _charged(scores: Scores, came: Came, terms: Terms, place: tuple[int, int, int], missed: BoolArray) -> None:
    """Charge every candidate, and the lane itself, with the load that has become known."""
    lane, step, merged = place
    demand, usable, real = came.demand[lane, step], came.usable[lane, step], came.ready[lane, step]
    # What served the newest known load, of lag steps ago, was ordered from lag to lag + start-up steps ago.
    first = terms.lag[lane] - 1
    last = first + terms.startup[lane]
    avoidable, best = False, 0
    for candidate in range(CANDIDATES):
        ready = _NEVER
        for slot in range(min(first // merged, SLOTS - 1), min(last // merged, SLOTS - 1) + 1):
            if slot * merged < scores.steps[lane]:
                ready = min(ready, scores.minima[lane, candidate, slot])
        missed[candidate] = demand > ready + _NOISE or (usable == 1 and real >= 0 and ready <= real)
        if candidate < GRID:
            avoidable, best = avoidable or not missed[candidate], max(best, ready)
    for span in range(SPANS):
        keep = 0.5 ** (1.0 / HALF_LIFE_STEPS[span])
        scores.load[lane, span] = scores.load[lane, span] * keep + demand
        for candidate in range(CANDIDATES):
            scores.cost[lane, span, candidate] *= keep
            scores.late[lane, span, candidate] *= keep
            if missed[candidate] and avoidable:
                scores.late[lane, span, candidate] += demand
    keep = 0.5 ** (1.0 / HALF_LIFE_STEPS[SPANS - 1])
    scores.usual[lane, 0] = scores.usual[lane, 0] * keep + demand
    scores.usual[lane, 1] = scores.usual[lane, 1] * keep + 1.0
    scores.known[lane] += 1
    share, really, answers = _late(scores, came, terms, (lane, step, last, best))
    charged = share * demand if answers else 0.0
    keep = 0.5 ** (1.0 / REALISED_STEPS)
    scores.realised[lane, 0] = scores.realised[lane, 0] * keep + really * demand
    scores.realised[lane, 1] = scores.realised[lane, 1] * keep + demand
    scores.realised[lane, 2] = scores.realised[lane, 2] * keep + charged
    scores.hour[lane] = scores.hour[lane] * (1.0 - 1.0 / HOUR_STEPS) + charged
    weight = min(demand / (scores.usual[lane, 0] / scores.usual[lane, 1] + _NOISE), HEAVY)
    budget = _budget(scores, terms, lane)
    moved = TRIM * weight * (share - _aim(scores, lane, budget, terms.price[lane])) / budget if answers else 0.0
    least = TRIM_LEAST if scores.in_charge[lane] < GRID else 0.0
    scores.trim[lane] = min(max(scores.trim[lane] + min(moved, TRIM_RISE), least), TRIM_MOST)


@compiled
def _late(scores: Scores, came: Came, terms: Terms, place: tuple[int, int, int, int]) -> tuple[float, float, bool]:
    """The shares late by own orders, and really; and if orders answer: not at the maximum, nor for what never came."""
    lane, step, last, best = place
    demand, usable, real = came.demand[lane, step], came.usable[lane, step], came.ready[lane, step]
    acted, own, older = terms.acted[lane] and real >= 0, float(_NEVER), float(_NEVER)
    for back in range(terms.lag[lane] - 1, min(last + _AWAITED, REMEMBERED - 1, scores.steps[lane] - 1) + 1):
        older = min(older, scores.own[lane, back])
        own = older if back <= last else own
    short = 1.0 if demand > own + _NOISE or (usable == 1 and own <= real) else 0.0
    really = (1.0 if usable == 1 or demand > real + _NOISE else 0.0) if acted else short
    share = max(short, really)
    if terms.acted[lane] and came.late[lane, step] >= 0:
        share = really = came.late[lane, step]
    missing = acted and demand <= own + _NOISE and real < older and (real < demand - _NOISE or usable == 1)
    return share, really, not (missing or (share > 0 and own >= best))


@compiled
def _budget(scores: Scores, terms: Terms, lane: int) -> float:
    """The share of the load that may be late: as written, or what the incumbent would have been late in shadow."""
    if not terms.as_incumbent[lane] or scores.known[lane] < EVIDENCE_STEPS:
        return float(terms.budget[lane])
    most = terms.budget[lane] if terms.slo[lane] else INCUMBENT_MOST
    late = scores.late[lane, SPANS - 1, INCUMBENT] / max(scores.load[lane, SPANS - 1], _NOISE)
    return float(min(max(late, INCUMBENT_LEAST), most))


@compiled
def _aim(scores: Scores, lane: int, budget: float, price: float) -> float:
    """The late share to steer for: below the target after more came late than that, above it after less.

    Where lateness has a price, no more than the one in charge found worth it.
    """
    target, chosen = TARGET * budget, scores.in_charge[lane]
    if price > 0 and chosen >= 0:
        late = scores.late[lane, SPANS - 1, chosen] / max(scores.load[lane, SPANS - 1], _NOISE)
        target = min(target, max(late, INCUMBENT_LEAST))
    spent = scores.realised[lane, 2] / max(scores.realised[lane, 1], _NOISE) / target
    return float(target * min(max(1.0 + FEEDBACK * (1.0 - spent), 0.25), 2.0))


@compiled
def _hurry(scores: Scores, lane: int, most: float) -> float:
    """Scales added while an hour's budget runs out: none up to half of it, all of `HOUR_SCALES` once it is spent."""
    usual = scores.usual[lane, 0] / max(scores.usual[lane, 1], 1.0)
    spent = scores.hour[lane] / (HOUR_STEPS * usual * most + _NOISE)
    return float(HOUR_SCALES * min(max((spent - HOUR_SPENT) / (1.0 - HOUR_SPENT), 0.0), 1.0))


@compiled
def _remembered(scores: Scores, forecasts: Forecasts, lane: int, step: int) -> None:
    """Move the forecasts of earlier steps on by one, and put this step's first."""
    level, scale = scores.level[lane], scores.scale[lane]
    for expert in range(EXPERTS):
        for back in range(REMEMBERED - 1, 0, -1):
            level[expert, back] = level[expert, back - 1]
            scale[expert, back] = scale[expert, back - 1]
    for expert in range(EXPERTS - 1):
        level[expert, 0] = forecasts.base[lane, step] + forecasts.told[lane, step, expert]
        scale[expert, 0] = forecasts.told[lane, step, EXPERTS - 1 + expert]
    level[2, 0] = (level[0, 0] + level[1, 0]) / 2.0
    scale[2, 0] = ((scale[0, 0] + scale[1, 0]) / 2.0) ** CALM


@compiled
def _ordered(level: FloatArray, scale: FloatArray, most: float, bounds: tuple[int, int, int], orders: IntArray) -> None:
    """What every candidate orders now; holds are nested, so each goes on where the shorter one ended."""
    for expert in range(EXPERTS):
        for z in range(SCALES.size):
            largest, back = -np.inf, 0
            for hold in range(HOLDS.size):
                while back <= max(HOLDS[hold], bounds[2]):
                    largest = max(largest, level[expert, back] + SCALES[z] * scale[expert, back])
                    back += 1
                place = (expert * SCALES.size + z) * HOLDS.size + hold
                orders[place] = _replicas(min(largest, most), bounds[0], bounds[1])


@compiled
def _blended(
    place: tuple[FloatArray, FloatArray, StatArray], most: float, bounds: tuple[int, int, int], trim: float
) -> tuple[int, float]:
    """What the candidates of some weight order with the trim, the mean of their log demands; and that without holds."""
    level, scale, weight = place
    held, now = 0.0, 0.0
    for expert in range(EXPERTS):
        for z in range(SCALES.size):
            first = (expert * SCALES.size + z) * HOLDS.size
            if weight[first : first + HOLDS.size].sum() == 0.0:
                continue
            largest, back = -np.inf, 0
            for hold in range(HOLDS.size):
                while back <= max(HOLDS[hold], bounds[2]):
                    largest = max(largest, level[expert, back] + (SCALES[z] + trim) * scale[expert, back])
                    back += 1
                held += weight[first + hold] * min(largest, most)
                now += weight[first + hold] * min(level[expert, 0] + (SCALES[z] + trim) * scale[expert, 0], most)
    return _replicas(held, bounds[0], bounds[1]), now


@compiled
def _replicas(log_demand: float, low: int, high: int) -> int:
    """Replicas that a log demand needs, within bounds."""
    return int(min(max(math.ceil(math.exp(min(log_demand, _LARGEST)) - 0.5 - _NOISE), low), high))


@compiled
def _cheapest(
    came: tuple[StatArray, StatArray], load: FloatArray, aims: tuple[float, float], eligible: int, weight: StatArray
) -> tuple[int, int]:
    """The candidate with the least cost and price of lateness, the mean of both spans; and the best of another family.

    Families are the three experts, the incumbent and seasonal-naive. `weight` of the grid is written in place.
    """
    (cost, late), (budget, price) = came, aims
    least = np.array([(cost[span, :GRID] + price * late[span, :GRID]).min() for span in range(SPANS)])
    best, lowest = np.zeros(FAMILIES, np.int64), np.full(FAMILIES, np.inf)
    for candidate in range(eligible):
        score = 0.0
        for span in range(SPANS):
            share = late[span, candidate] / max(load[span], _NOISE)
            score += (cost[span, candidate] + price * late[span, candidate]) / max(least[span], _NOISE)
            score += PRICE * max(0.0, share / budget - TARGET)
        family = candidate // (SCALES.size * HOLDS.size) if candidate < GRID else candidate - GRID + EXPERTS
        if score < lowest[family]:
            best[family], lowest[family] = candidate, score
        if candidate < GRID:
            weight[candidate] = score
    total, lead = 0.0, lowest[:EXPERTS].min()
    for candidate in range(GRID):
        share = math.exp(-(weight[candidate] - lead) / NEARLY)
        weight[candidate] = share if share >= LEAST_WEIGHT else 0.0
        total += weight[candidate]
    weight /= total
    first = lowest.argmin()
    lowest[first] = np.inf
    return best[first], best[lowest.argmin()]

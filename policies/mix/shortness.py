"""What a replica-hour that is short is worth, so that a lane keeps its budget of shortness, without hindsight.

A tournament of multipliers in shadow: at every plan the cheapest mix is found for each of a row of multipliers, on what
is known at that moment, and what it would cost and is expected to be short is added to decayed sums. The multiplier in
force is the one whose mean shortness equals the budget: risk is taken where it is cheap, and a lane that nothing ever
happens to learns it within hours. Two corrections come from what really happened: the ratio of realised to expected
shortness, and a budget that grows while less than it was used and shrinks while more was. The ratio starts above 1 for
tight budgets: what they leave is pools lost together, which happens about twice as often as by chance.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.compiled import compiled_with
from policies.mix import choice, model
from policies.mix import columns as at
from policies.mix.choice import cheapest
from policies.mix.columns import DUE, DUE_SUM, EXPECTED_SHORT, OBJECTIVE, SHORT, SHORT_AHEAD
from policies.mix.model import MULTIPLIERS

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

DAY_S = 86400.0
REALISED_DAYS = 14.0  # half-life of what was really short
SHADOW_DAYS = 7.0  # half-life of what plans would have cost and risked
EXPECTED_DAYS = 4.0  # days at the budget by which realised and expected shortness are each raised before their ratio
LOOSE, TAIL, TAIL_MOST = 0.01, 0.25, 2.0  # the ratio before any evidence: 1 at 1 %, 1.8 at 0.1 %, at most 2
BANKED_DAYS = 0.5  # days at the budget that count as realised from the start
FEEDBACK = 1.0  # share by which the budget grows when nothing of it was used
LEAST_SHARE, MOST_SHARE = 0.25, 2.0  # of the budget that may be aimed at


@compiled_with(choice, model, at)
def account(dt_s: float, short: float, lane: int, lanes: FloatArray, memory: FloatArray) -> None:
    """Add what was `short`, replicas, over the last `dt_s` seconds to the lane's sums."""
    kept = 0.5 ** (dt_s / (REALISED_DAYS * DAY_S))
    memory[SHORT, lane] = memory[SHORT, lane] * kept + short * dt_s
    memory[EXPECTED_SHORT, lane] = memory[EXPECTED_SHORT, lane] * kept + memory[SHORT_AHEAD, lane] * dt_s
    memory[DUE_SUM, lane] = memory[DUE_SUM, lane] * kept + lanes[DUE, lane] * dt_s


@compiled_with(choice, model, at)
def replayed(
    passed_s: float, need: int, limit: IntArray, price: FloatArray, lost: FloatArray, exposed: float, lane: int,
    weight_s: FloatArray, short: FloatArray, cost: FloatArray,
) -> IntArray:  # fmt: skip
    """Add what the plan at each multiplier costs and risks to the sums of ShadowMemory; these plans.

    Each is what it would be if nothing ran yet and on-demand were not limited. `exposed` is the share of a start-up in
    which a loss is felt.
    """
    kept = 0.5 ** (passed_s / (SHADOW_DAYS * DAY_S))
    weight_s[lane] = weight_s[lane] * kept + passed_s * need
    plans, nothing = np.zeros((MULTIPLIERS.size, limit.size), np.int64), np.zeros(limit.size, np.int64)
    risk, spent = np.zeros(MULTIPLIERS.size), np.zeros(MULTIPLIERS.size)
    free, worth = limit.copy(), np.zeros(MULTIPLIERS.size)
    free[-1] = need
    worth[:] = MULTIPLIERS * exposed
    cheapest(need, free, price, lost, nothing, worth, plans[:0], plans, spent, risk)
    for each in range(MULTIPLIERS.size):
        short[lane, each] = short[lane, each] * kept + exposed * risk[each] * passed_s
        cost[lane, each] = cost[lane, each] * kept + spent[each] * passed_s
    return plans


@compiled_with(choice, model, at)
def multiplier(
    need: int, lane: int, lanes: FloatArray, memory: FloatArray, weight_s: FloatArray, short: FloatArray
) -> float:
    """The multiplier whose mean shortness on what was seen is what may be aimed at, between those replayed."""
    aimed = _aimed(need, lane, lanes, memory)
    before = 0.0
    for each in range(MULTIPLIERS.size):
        mean = short[lane, each] / weight_s[lane]
        if mean <= aimed:
            if each == 0:
                return float(MULTIPLIERS[0])
            fall = math.log(before) - math.log(max(mean, 1e-12))
            passed = min(max((math.log(before) - math.log(aimed)) / max(fall, 1e-9), 0.0), 1.0)
            return float(MULTIPLIERS[each - 1] * (MULTIPLIERS[each] / MULTIPLIERS[each - 1]) ** passed)
        before = mean
    return float(MULTIPLIERS[-1])


@compiled_with(choice, model, at)
def _aimed(need: int, lane: int, lanes: FloatArray, memory: FloatArray) -> float:
    """The expected shortness to aim at: a share."""
    budget = lanes[OBJECTIVE, lane]
    known = EXPECTED_DAYS * DAY_S * budget * need
    prior = min(max((LOOSE / budget) ** TAIL, 1.0), TAIL_MOST)
    ratio = (memory[SHORT, lane] + known * prior) / (memory[EXPECTED_SHORT, lane] + known)
    banked = BANKED_DAYS * DAY_S * need
    realised = (memory[SHORT, lane] + banked * budget) / (memory[DUE_SUM, lane] + banked)
    share = min(max(1.0 + FEEDBACK * (1.0 - realised / budget), LEAST_SHARE), MOST_SHARE)
    return float(budget * share / ratio)

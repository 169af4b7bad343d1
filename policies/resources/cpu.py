"""Foresail's own sizing of CPU: candidates replayed on what came, and raises where usage stays above the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import FloatArray, IntArray, floats
from policies.resources import cpu_experts as experts
from policies.resources import cpu_loops as at
from policies.resources.codes import COUNT, CodeArray, codes_of
from policies.resources.model import HOUR_S, Recommendation

if TYPE_CHECKING:
    from policies.resources.model import Present

PRICE, STEEPER = 5.5, 1.5  # of a sample above the request, where 1 % may be, in slack; 16 where half as many may
HALF_LIFE_H = 96.0  # of what candidates lost
RAISE_AFTER_S = 120.0  # above the request where at most 1 % may be; where 4 % may, four times as long
_USUAL = 0.01
_MOST_OF_TWO_BYTES = 65_535
_USUAL_CHANGES = 8.0  # a day, where they are not bounded


@dataclass(slots=True)
class CpuState:
    """What is remembered of each container. Written to by the functions below."""

    terms: FloatArray
    now: int  # samples taken
    latest: CodeArray  # [container]
    ring: CodeArray  # [container, sample of the week, and of a period that is not counted yet]
    counted: IntArray  # [container, window, code]; of two bytes while a week has so few samples
    span: IntArray  # lowest and highest code, [container, 2]
    until: IntArray  # the sample up to which those of the ring are counted, [container]
    own: FloatArray  # [container, column]
    said: FloatArray  # [container, expert]
    loss: FloatArray  # [container, candidate]

    @classmethod
    def start(cls, containers: int, terms: FloatArray) -> CpuState:
        """Nothing was seen of any container; `terms` are those of `terms_of`."""
        ring = experts.RING_H * int(terms[at.PER_HOUR]) + int(terms[at.PERIOD])
        return cls(
            terms,
            0,
            np.zeros(containers, np.uint16),
            np.zeros((containers, ring), np.uint16),
            np.zeros(
                (containers, experts.WINDOWS_H.size, COUNT), np.uint16 if ring <= _MOST_OF_TWO_BYTES else np.uint32
            ),
            np.zeros((containers, 2), np.int64),
            np.zeros(containers, np.int64),
            np.zeros((containers, at.COLUMNS)),
            np.zeros((containers, experts.EXPERTS), np.float32),
            np.zeros((containers, at.CANDIDATES), np.float32),
        )


def terms_of(*, step_s: float, every_s: float, overrun_ratio: float, changes_per_day: float) -> FloatArray:
    """What all containers share: samples `step_s` apart, a decision every `every_s`, a share that may be above it.

    With less than one change a day nothing is raised between decisions, nor is it when candidates are replayed.
    """
    per_hour = max(1.0, np.round(HOUR_S / step_s))
    period = max(1.0, np.round(every_s / step_s))
    terms = floats(at.TERMS)
    terms[at.PRICE], terms[at.OVERRUN] = PRICE * (_USUAL / overrun_ratio) ** STEEPER, overrun_ratio
    terms[at.RATE] = max(1.0, changes_per_day) if np.isfinite(changes_per_day) else _USUAL_CHANGES
    terms[at.FADE] = 0.5 ** (period / per_hour / HALF_LIFE_H)
    waits_s = RAISE_AFTER_S * max(1.0, overrun_ratio / _USUAL)
    terms[at.RAISE_AFTER] = max(1.0, waits_s // step_s) if changes_per_day >= 1 else np.inf
    terms[at.PERIOD], terms[at.PER_HOUR] = period, per_hour
    return terms


def observe(state: CpuState, usage: FloatArray) -> None:
    """Take the next sample of each container in cores, `[container]`; NaN where there is none."""
    state.latest = codes_of(usage)
    at.learn(
        state.latest,
        state.now,
        state.terms,
        state.ring,
        state.counted,
        state.span,
        state.until,
        state.own,
        state.said,
        state.loss,
    )
    state.now += 1


def recommended(state: CpuState) -> Recommendation:
    """What the best candidates ask for after the last sample, and the range that they span; NaN where none was seen."""
    own, said = state.own, state.said
    if state.now % state.terms[at.PERIOD]:
        at.count_all(state.now, state.terms, state.ring, state.counted, state.span, state.until)
        own, said = own.copy(), said.copy()
        at.ask_all(state.now, state.terms, state.ring, state.counted, state.span, own, said)
    target = at.aimed(state.now, state.terms, own, said, state.loss)
    lower, upper = (np.where(own[:, at.UPPER] > 0, own[:, column], target) for column in (at.LOWER, at.UPPER))
    return Recommendation(np.minimum(lower, target), target, np.maximum(upper, target))


def decided(state: CpuState, advice: Recommendation, present: Present) -> FloatArray:
    """The request at a decision, in cores, `[container]`: the present one where a change is not worth its price."""
    return at.wanted(state.now, state.terms, advice.target, present.request, present.changes_left, state.own)


def urgent(state: CpuState, present: Present) -> FloatArray:
    """The request after the last sample, in cores, `[container]`: raised where usage stays above it."""
    return at.lifted(state.latest, state.now, state.terms, present.request, present.changes_left, state.own, state.ring)


def best_of(state: CpuState, row: int) -> tuple[str, float, float]:
    """The candidate with the least loss of one container: the window's words, the quantile, the scale."""
    best = int(state.loss[row].argmin())
    expert, scale = best // at.SCALES.size, float(at.SCALES[best % at.SCALES.size])
    if expert == experts.EXPERTS - 1:
        return "the same hour of 7 days as today compares", 0.95, scale
    window, place = divmod(expert, experts.QUANTILES.size)
    if window < experts.WINDOWS_H.size:
        words = f"the last {experts.WINDOWS_H[window]} h"
    else:
        words = f"the same hour of {experts.SEASONS_D[window - experts.WINDOWS_H.size]} days"
    return words, float(experts.QUANTILES[place]), scale

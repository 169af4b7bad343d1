"""Foresail's own method of sizing, of CPU and of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.resources import cpu, memory
from policies.resources.cpu import CpuState
from policies.resources.memory import MemoryState
from policies.resources.model import HOUR_S, Containers, Present, Recommendation, amount_text

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

State = CpuState | MemoryState


@dataclass(frozen=True, slots=True)
class Foresail:
    """Steered to a share of samples above the request of CPU, with so many changes a day; memory by its peaks."""

    overrun_ratio: float = 0.01
    changes_per_day: float = 8.0
    every_s: float = HOUR_S
    name: str = "foresail"

    def start(self, containers: Containers) -> State:
        """See Method."""
        count = containers.step_s.size
        if containers.resource == "memory":
            return MemoryState.start(count)
        step_s = float(np.median(containers.step_s)) if count else 60.0
        return CpuState.start(
            count,
            cpu.terms_of(
                step_s=step_s,
                every_s=self.every_s,
                overrun_ratio=self.overrun_ratio,
                changes_per_day=self.changes_per_day,
            ),
        )

    def observe(self, state: State, at_s: FloatArray, usage: FloatArray) -> State:
        """See Method."""
        if isinstance(state, CpuState):
            cpu.observe(state, usage)
        else:
            memory.observe(state, at_s, usage)
        return state

    def killed(self, state: State, rows: IntArray, at_s: FloatArray, request: FloatArray) -> State:
        """See Method."""
        del at_s
        if isinstance(state, MemoryState):
            memory.killed(state, rows, request)
        return state

    def recommend(self, state: State, at_s: FloatArray) -> Recommendation:
        """See Method."""
        del at_s
        return cpu.recommended(state) if isinstance(state, CpuState) else memory.recommended(state)

    def decided(self, state: State, at_s: FloatArray, advice: Recommendation, present: Present) -> FloatArray:
        """See Method."""
        del at_s
        if isinstance(state, CpuState):
            return cpu.decided(state, advice, present)
        return memory.decided(advice, present.request)

    def urgent(self, state: State, at_s: FloatArray, present: Present) -> FloatArray:
        """See Method."""
        del at_s
        return cpu.urgent(state, present) if isinstance(state, CpuState) else present.request

    def why(self, state: State, row: int) -> str:
        """See Method."""
        if isinstance(state, MemoryState):
            peak = float(np.fmax.reduce(state.hours[row]))
            if np.isnan(peak):
                return "nothing was seen"
            kept = ", no less than a kill for want of memory left" if state.floor[row] > 0 else ""
            margin = f"{memory.MARGIN:.1%} and {memory.RISES:g} times the largest rise of an hour"
            young = ", more in its first day" if state.kept[row] < memory.YOUNG_H else ""
            return f"the peak of a week, {amount_text(peak, 'memory')}, {margin}{young}{kept}"
        if state.loss[row].max(initial=0.0) <= 0:
            return "less than two periods were seen: the peak, and 15 % more"
        window, quantile, scale = cpu.best_of(state, row)
        return f"what lost least of late: {scale:g} times the {quantile:.0%} of {window}, with the four next to it"

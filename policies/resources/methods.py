"""The methods of sizing by their names on the command line, and the VPA recommender's as one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.resources.foresail import Foresail
from policies.resources.model import DAY_S, HOUR_S, Containers, Method, Present, Recommendation, amount_text, followed
from policies.resources.peers import Krr, StaticPeak
from policies.resources.vpa import TARGET_SHARE, VpaState, killed, observe, recommended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policies.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Aims:
    """What the command line asks of a method that can be steered."""

    overrun_ratio: float = 0.01  # share of samples that may be above the request
    changes_per_day: float = 8.0
    every_s: float = HOUR_S

    @classmethod
    def once(cls, overrun_ratio: float) -> Aims:
        """For a request that is set by hand: it holds for days, and nothing raises it in between."""
        return cls(overrun_ratio, changes_per_day=0.0, every_s=DAY_S)


@dataclass(frozen=True, slots=True)
class Vpa:
    """The recommender of Kubernetes' vertical autoscaler, its targets followed where they differ by 5 % or more."""

    name: str = "vpa"
    dead_band: float = 0.05

    def start(self, containers: Containers) -> VpaState:
        """See Method."""
        return VpaState.start(containers.step_s.size, containers.resource)

    def observe(self, state: VpaState, at_s: FloatArray, usage: FloatArray) -> VpaState:
        """See Method."""
        observe(state, at_s, usage)
        return state

    def killed(self, state: VpaState, rows: IntArray, at_s: FloatArray, request: FloatArray) -> VpaState:
        """See Method."""
        killed(state, rows, at_s, request.astype("int64"))
        return state

    def recommend(self, state: VpaState, at_s: FloatArray) -> Recommendation:
        """See Method."""
        del at_s
        return recommended(state)

    def decided(self, state: VpaState, at_s: FloatArray, advice: Recommendation, present: Present) -> FloatArray:
        """See Method."""
        del state, at_s
        return followed(advice.target, present.request, self.dead_band)

    def urgent(self, state: VpaState, at_s: FloatArray, present: Present) -> FloatArray:
        """Nothing is urgent."""
        del state, at_s
        return present.request

    def why(self, state: VpaState, row: int) -> str:
        """See Method."""
        if not state.samples[row]:
            return "nothing was seen"
        days = (state.last_s[row] - state.first_s[row]) / DAY_S
        end = amount_text(float(state.histograms.percentile(TARGET_SHARE)[row]), state.resource)
        whats = "use" if state.resource == "cpu" else "daily peaks"
        return f"90 % of {whats}, halved in weight each day, is at most {end}, and 15 % more; {days:.1f} days seen"


METHODS: Mapping[str, Callable[[Aims], Method[Any]]] = {
    "foresail": lambda aims: Foresail(aims.overrun_ratio, aims.changes_per_day, aims.every_s),
    "vpa": lambda aims: Vpa(),  # noqa: ARG005 - cannot be steered, as the two below
    "krr": lambda aims: Krr(),  # noqa: ARG005
    "static": lambda aims: StaticPeak(),  # noqa: ARG005
}

"""Who competes: the plans that policies make on the audited loads. The one place that knows the replay engine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simulations.replay import Lane, Pace, ReplayPolicy, replay
from simulations.serving import ready_replicas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import FloatArray, IntArray
    from simulations.audit.case import Case

FORESAIL = "predictive"
PACE = Pace()


@dataclass(frozen=True, slots=True)
class Band:
    """What was forecast for each step a start-up before it, in replicas needed, `[step]`."""

    lower: FloatArray
    median: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy would have done: replicas paid and ready, `[step]`, and what it had forecast, if it tells."""

    policy: str
    paid: IntArray
    ready: IntArray
    band: Band | None = None


class Engine(Protocol):
    """What makes the plans of a policy for every case, in their order; it is told whom to tell each step."""

    def __call__(
        self, cases: Sequence[Case], policy: str, *, on_step: Callable[[int], None] | None = None
    ) -> list[Plan]:
        """Replay."""
        ...


def contenders(cases: Sequence[Case], policy: str, *, on_step: Callable[[int], None] | None = None) -> list[Plan]:
    """Replay one policy on every case, in their order. Cases with the same steps share one replay.

    `on_step` is told each step of each replay. Raises ReplayError for a policy that cannot be replayed.
    """
    parsed = ReplayPolicy.parse(policy)
    together: dict[tuple[float, int], list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        together[float(case.track.at_s[0]), case.track.at_s.size].append(number)
    made: dict[int, Plan] = {}
    for (start_s, _), numbers in together.items():
        lanes = [Lane(cases[number].track.demand, cases[number].serving) for number in numbers]
        plans = replay(lanes, parsed, PACE, start_s=start_s, on_step=on_step)
        made |= {number: _plan(cases[number], policy, row) for number, row in zip(numbers, plans, strict=True)}
    return [made[number] for number in range(len(cases))]


def steps_of(cases: Sequence[Case]) -> int:
    """How many steps one policy takes on these cases."""
    return sum(size for _, size in {(float(case.track.at_s[0]), case.track.at_s.size) for case in cases})


def _plan(case: Case, policy: str, row: IntArray) -> Plan:
    """A plan within the autoscaler's bounds."""
    paid = np.clip(row, case.serving.min_replicas, case.autoscaler.max_replicas)
    return Plan(policy, paid, ready_replicas(paid, startup_steps=case.serving.startup_steps))

"""What budgets say, as columns: who goes first, what a replica takes, and the most that may be taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from policies.arrays import FloatArray, IntArray, floats, integers

RESOURCES = 2  # USD per hour, GPUs: the columns of `[.., resource]`, as `policies.mix.budgets.Resource` has them
GPUS = 1


FLEET = -1  # in `StepLimits.scope`


@dataclass(frozen=True, slots=True)
class StepLimits:
    """How many replicas may go, or come, in how long a time, one row for each such budget."""

    scope: IntArray  # row of `BudgetTerms.names`, or FLEET
    replicas: IntArray
    window_s: FloatArray

    @classmethod
    def none(cls) -> StepLimits:
        """Nothing is bounded."""
        return cls(integers(0), integers(0), floats(0))


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """Caps are infinite where nothing is capped; what a replica takes is UNKNOWN (-1) where the policy does not say."""

    priority: IntArray  # higher goes first, [lane]
    need: FloatArray  # of one replica, [lane, resource]
    own: FloatArray  # the workload's own cap, [lane, resource]
    namespace: IntArray  # row of `namespaces`, [lane]
    names: tuple[str, ...]  # the namespaces with caps, sorted
    namespaces: FloatArray  # their caps, and a last row without any for all others, [namespace, resource]
    fleet: FloatArray  # [resource]
    step_downs: StepLimits = field(default_factory=StepLimits.none)
    step_ups: StepLimits = field(default_factory=StepLimits.none)

    @classmethod
    def none(cls, lanes: int = 0) -> BudgetTerms:
        """Of lanes that nothing caps."""
        return cls(
            priority=integers(lanes),
            need=np.full((lanes, RESOURCES), -1.0),
            own=np.full((lanes, RESOURCES), np.inf),
            namespace=integers(lanes),
            names=(),
            namespaces=np.full((1, RESOURCES), np.inf),
            fleet=floats(RESOURCES, np.inf),
        )

    def for_lanes(self, lanes: int) -> BudgetTerms:
        """These, or none where nothing was told, as by a fleet that an older Foresail packed."""
        return self if self.priority.size == lanes else BudgetTerms.none(lanes)

    def caps(self, resource: int | slice = slice(None)) -> bool:
        """Whether anything is capped, of one resource or of any."""
        tables = (self.own, self.namespaces, self.fleet)
        return any(bool(np.isfinite(each[..., resource]).any()) for each in tables)

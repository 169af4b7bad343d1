"""What a method of sizing says of containers, after it has seen all that they used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.vertical.queries import PAST_STEP_S
from controller.vertical.records import CPU
from policies.resources.methods import METHODS, Aims
from policies.resources.model import Containers

if TYPE_CHECKING:
    from controller.vertical.usage import Usage
    from policies.arrays import FloatArray
    from policies.resources.model import Recommendation


@dataclass(frozen=True, slots=True)
class Kills:
    """When each container was last killed for want of memory (NaN: never), and the bytes it had, `[container]`."""

    at_s: FloatArray
    requested: FloatArray


@dataclass(frozen=True, slots=True)
class Advice:
    """Bounds and target of each container in cores or bytes, `[container]`, NaN where nothing was seen; and why."""

    amounts: Recommendation
    why: tuple[str, ...]


def sized(method: str, aims: Aims, resource: str, usage: Usage, kills: Kills) -> Advice:
    """What the method advises after the last sample."""
    count = usage.used.shape[1]
    way = METHODS[method](aims)
    state = way.start(Containers("cpu" if resource == CPU else "memory", np.full(count, PAST_STEP_S)))
    first = int(np.isfinite(usage.used).any(axis=1).argmax())
    for at_s, used in zip(usage.at_s[first:], usage.used[first:], strict=True):  # gaps too: hours stay in step
        state = way.observe(state, np.full(count, at_s), used)
    rows = np.flatnonzero(np.isfinite(kills.at_s) & np.isfinite(usage.used).any(axis=0))
    if resource != CPU and rows.size:
        state = way.killed(state, rows, kills.at_s[rows], kills.requested[rows])
    amounts = way.recommend(state, np.full(count, usage.at_s[-1]))
    return Advice(amounts, tuple(way.why(state, row) for row in range(count)))

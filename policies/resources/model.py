"""What methods of sizing are told of a fleet of containers, what they answer, and how they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

Resource = Literal["cpu", "memory"]
State = TypeVar("State")

HOUR_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of a fleet, of whom one resource is sized."""

    resource: Resource
    step_s: FloatArray  # usual time between two samples, `[container]`


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Requests in cores or bytes, `[container]`; NaN where nothing was seen.

    A request from `lower` to `upper` is not worth a change; `target` is what to ask for.
    """

    lower: FloatArray
    target: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Present:
    """What containers request at this moment, NaN before the first request, and how often that may change."""

    request: FloatArray  # `[container]`
    changes_left: FloatArray  # now; infinite where changes are not bounded


class Method(Protocol[State]):
    """A way to size containers. Times are `[container]`, for each has its own clock in a walk through files.

    What it remembers is given back by each call, and may be the same object, written to.
    """

    @property
    def name(self) -> str:
        """As the command line has it."""

    def start(self, containers: Containers) -> State:
        """Nothing was seen of any container."""

    def observe(self, state: State, at_s: FloatArray, usage: FloatArray) -> State:
        """Note usage in cores or bytes, `[container]`; NaN where there is none."""

    def killed(self, state: State, rows: IntArray, at_s: FloatArray, request: FloatArray) -> State:
        """Note that containers were killed for want of memory at these requests, `[row]`."""

    def recommend(self, state: State, at_s: FloatArray) -> Recommendation:
        """What to request from now on."""

    def decided(self, state: State, at_s: FloatArray, advice: Recommendation, present: Present) -> FloatArray:
        """The request at a moment of decision, `[container]`: of the advice, or the present one."""

    def urgent(self, state: State, at_s: FloatArray, present: Present) -> FloatArray:
        """The request after each sample: the present one, unless it cannot wait for the next decision."""

    def why(self, state: State, row: int) -> str:
        """What the advice for a container comes from, in a sentence."""


def amount_text(amount: float, resource: Resource) -> str:
    """An amount for people: ``0.45 cores``, ``1.2 GiB``."""
    if resource == "cpu":
        return f"{amount:.3g} cores"
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount:.0f} B"


def followed(target: FloatArray, request: FloatArray, dead_band: float = 0.0) -> FloatArray:
    """The target, or the present request where the two differ by no more than a share of it, `[container]`."""
    near = np.abs(target - request) <= dead_band * request
    return np.where(np.isnan(target) | near, request, target)

"""SkyServe's rule for spot and on-demand replicas, as the peer beside the hedger.

Source: SkyPilot's serving layer and Mao et al., "SkyServe: Serving AI Models across Regions and Clouds with Spot
Instances", EuroSys 2025. Spot is wanted for all but a fixed on-demand base, with spare replicas on top; on-demand
stands in for spot that is not ready, never for the spare. The placer takes the cheapest zone that is active and not in
use, else the cheapest active one; a zone that loses or refuses is inactive until fewer than two are left, which clears
all marks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policies.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray

_LEAST_ACTIVE = 2


@compiled
def wanted(final: int, spare: int, base: int, dynamic: bool, spot_ready: int) -> tuple[int, int]:  # noqa: FBT001 - compiled code takes values by place
    """Spot and on-demand replicas wanted, where `final` is the target with its `spare` replicas."""
    spot = max(final - base, 0)
    on_demand = base + (max(spot - spot_ready, 0) if dynamic else 0)
    return spot, min(on_demand, final - spare)


@compiled
def placed(active: BoolArray, held: IntArray, limit: IntArray, price: FloatArray) -> int:
    """The pool that takes the next spot replica, -1 when all are full or inactive."""
    best, best_used = -1, False
    for pool in range(active.size):
        if not active[pool] or held[pool] >= limit[pool]:
            continue
        used = held[pool] > 0
        if best < 0 or (best_used and not used) or (used == best_used and price[pool] < price[best]):
            best, best_used = pool, used
    return best


@compiled
def marked(active: BoolArray, pool: int) -> None:
    """Mark a pool as one that lost or refused; clears all marks when fewer than two are left active."""
    active[pool] = False
    if active.sum() < _LEAST_ACTIVE:
        active[:] = True


@dataclass(frozen=True, slots=True)
class RequestRate:
    """How SkyServe turns requests into a target."""

    per_replica: float  # requests a second
    least: int
    most: int
    window_s: float = 60.0
    decision_interval_s: float = 20.0
    upscale_delay_s: float = 300.0
    downscale_delay_s: float = 1200.0


@dataclass(frozen=True, slots=True)
class Target:
    """The target and for how many decisions in a row more or less was asked for."""

    replicas: int
    above: int = 0
    below: int = 0

    def after(self, requests: int, rate: RequestRate) -> Target:
        """The target after a decision that saw so many requests in the window: at once from zero, else delayed."""
        asked = math.ceil(requests / rate.window_s / rate.per_replica)
        return self.asked_for(min(max(asked, rate.least), rate.most), rate)

    def asked_for(self, replicas: int, rate: RequestRate) -> Target:
        """The target after a decision for which so many replicas would do."""
        if self.replicas in {0, replicas}:
            return Target(replicas)
        above = self.above + 1 if replicas > self.replicas else 0
        below = self.below + 1 if replicas < self.replicas else 0
        late_up = above >= int(rate.upscale_delay_s / rate.decision_interval_s)
        late_down = below >= int(rate.downscale_delay_s / rate.decision_interval_s)
        if (above and late_up) or (below and late_down):
            return Target(replicas)
        return replace(self, above=above, below=below)


def asked_by_accelerator(requests_per_second: float, ready: Sequence[float], alive: int, largest: float) -> int:
    """Replicas that would do when each has a rate of its own, `[ready replica]`.

    Above what is ready, replicas of the `largest` rate are added to those `alive`; below, the fewest that still have
    more than is asked for, the fastest first.
    """
    over = requests_per_second - sum(ready)
    if over >= 0:
        return alive + math.ceil(over / largest)
    served, number = 0.0, 0
    for rate in sorted(ready, reverse=True):
        served, number = served + rate, number + 1
        if served > requests_per_second:
            break
    return number

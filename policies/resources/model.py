"""What a method of sizing says of a fleet of containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from policies.arrays import FloatArray

Resource = Literal["cpu", "memory"]

HOUR_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Requests in cores or bytes, `[container]`; NaN where nothing was seen.

    A request from `lower` to `upper` is not worth a change; `target` is what to ask for.
    """

    lower: FloatArray
    target: FloatArray
    upper: FloatArray

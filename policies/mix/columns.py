"""The tables of `policies.mix.model` as plain matrices, one row a column, for compiled loops; names of their rows."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray

T = TypeVar("T")

# Lanes
(
    NEED,
    DUE,
    STARTUP_S,
    NOTICE_S,
    OBJECTIVE,
    ON_DEMAND_PRICE,
    ON_DEMAND_READY,
    ON_DEMAND_STARTING,
    ON_DEMAND_REFUSED,
    ON_DEMAND_LIMIT,
    PHASE_S,
) = range(11)
# Pools, without their lane
PRICE, LIMIT, READY, STARTING, NOTICED, LOST, REFUSED = range(7)
# PoolMemory
KNOWN, SINCE_S, SEEN_S, POOL_TRY_S, POOL_BACKOFF_S, EXPECTED_LOSSES, LOSSES, PROBE_S, PLANNED, POOL_WANTED = range(10)
# LaneMemory
(
    AT_S,
    PLANNED_S,
    LOG_MULTIPLIER,
    SHORT,
    EXPECTED_SHORT,
    DUE_SUM,
    SHORT_AHEAD,
    NEED_BEFORE,
    LANE_TRY_S,
    LANE_BACKOFF_S,
    REFUSED_S,
    REFUSALS,
    ON_DEMAND_PLANNED,
    ON_DEMAND_WANTED,
) = range(14)


def stacked(table: object) -> FloatArray:
    """The columns of a table as the rows of a new matrix, in the order of its fields; `lane` is left out."""
    names = [each.name for each in fields(table) if each.name != "lane"]  # type: ignore[arg-type]  # any dataclass
    return np.stack([np.asarray(getattr(table, name), np.float64) for name in names])


def unstacked(cls: type[T], rows: FloatArray) -> T:
    """A table of floats back from its matrix."""
    made: Any = cls
    return made(*rows)  # type: ignore[no-any-return]

"""Prices from flags: so much for an hour of a replica, of a core or of a GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRICE = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?:/(?P<unit>replica|cpu|gpu)-hour)?")


@dataclass(frozen=True, slots=True)
class Size:
    """What a replica requests; None where nobody knows."""

    cpu_cores: float | None = None
    gpus: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money for an hour of one unit: replica, cpu or gpu."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Price:
        """Read ``0.40/replica-hour``, ``0.04/cpu-hour``, ``2.50/gpu-hour``, or a plain number for a replica-hour.

        Raises ValueError.
        """
        found = _PRICE.fullmatch(text.strip())
        if found is None:
            raise ValueError(
                f"{text!r} is no price: write AMOUNT/replica-hour, AMOUNT/cpu-hour or AMOUNT/gpu-hour, "
                "as in 0.40/replica-hour"
            )
        return cls(float(found["amount"]), found["unit"] or "replica")

    def of(self, size: Size) -> float | None:
        """What an hour of a replica of this size costs; None where the size is not known."""
        units = {"replica": 1.0, "cpu": size.cpu_cores, "gpu": size.gpus}[self.unit]
        return None if units is None else self.amount * units


def replica_hour(prices: Sequence[Price], size: Size) -> float | None:
    """The sum of all prices for one replica-hour; None without prices, or where a size is missing."""
    parts = [price.of(size) for price in prices]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None

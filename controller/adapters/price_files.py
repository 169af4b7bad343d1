"""The PriceFeed on a file of the user's own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.errors import Rejected
from controller.records import PricesSeen
from simulations.price_file import PriceFileError, read_prices

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class PriceFile:
    """Prices, discounts and commitments of a YAML or CSV file, read anew each time."""

    path: Path

    async def prices(self, *, at_s: float) -> PricesSeen:  # noqa: ARG002 - a file says itself when its prices held
        """Read the file. Raises Rejected with all its problems."""
        try:
            own = await asyncio.to_thread(read_prices, self.path)
        except PriceFileError as error:
            raise Rejected(str(error)) from error
        return PricesSeen(f"prices of {self.path}", own.table, commitments=own.commitments)

"""What nodes that stand now cost an hour, and who takes how much of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.bill import Kind
from policies.pricing.money import HOUR_S, amounts
from policies.pricing.settling import settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray, IntArray
    from policies.pricing.table import Commitment, Offer


@dataclass(frozen=True, slots=True)
class Standing:
    """Nodes with their prices, and what stands on them as a flat table of pods."""

    offers: tuple[Offer, ...]  # of each node
    micros: IntArray  # millionths of the currency an hour [node]
    node: IntArray  # of each pod [pod]
    owner: IntArray  # of each pod [pod]
    ratio: FloatArray  # of its node's price, by what it asks for [pod]


@dataclass(frozen=True, slots=True)
class HourlyCost:
    """Ticks an hour by owner and kind (`Kind`, never late), `[owner, kind]`; the last owner is idle room."""

    split: IntArray

    @property
    def total(self) -> float:
        """In the currency an hour."""
        return float(amounts(self.split.sum()))

    @property
    def by_owner(self) -> FloatArray:
        """In the currency an hour, `[owner, kind]`."""
        return amounts(self.split)


def hourly_cost(standing: Standing, owners: int, commitments: Sequence[Commitment] = ()) -> HourlyCost:
    """What an hour costs as things stand; commitments cover the nodes that they match, the dearest first.

    A node on which more is asked for than it has is split in proportion. Raises PriceError as `settled` does.
    """
    nodes = len(standing.offers)
    hour = np.full((nodes, 1, 1), HOUR_S, np.int64)
    done = settled(standing.offers, standing.micros, hour, np.array([HOUR_S], np.int64), commitments)
    asked = np.bincount(standing.node, weights=standing.ratio, minlength=nodes)[:nodes]
    ratio = standing.ratio / np.maximum(asked, 1.0)[standing.node]
    split = np.zeros((owners + 1, len(Kind)), np.int64)
    split[-1, Kind.UNUSED] = done.unused.sum()
    for kind, ticks in ((Kind.COMMITTED, done.committed), (Kind.ON_DEMAND, done.on_demand), (Kind.SPOT, done.spot)):
        of_node = ticks.reshape(nodes)
        part = np.floor(of_node[standing.node] * ratio).astype(np.int64)
        np.add.at(split[:, kind], standing.owner, part)
        split[-1, kind] += of_node.sum() - part.sum()
    return HourlyCost(split)

"""How commitments are netted against on-demand use, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.table import CapacityType, PriceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import IntArray
    from policies.pricing.table import Commitment, Offer


@dataclass(frozen=True, slots=True)
class Settled:
    """Ticks of each pool by the hour, as commitments leave them, `[pool, lane, hour]`; `unused` is `[lane, hour]`."""

    on_demand: IntArray
    spot: IntArray
    committed: IntArray  # what covers a pool's use, at the commitments' price
    unused: IntArray  # what is committed and covers nothing


def settled(
    offers: Sequence[Offer], price: IntArray, paid_s: IntArray, hour_s: IntArray, commitments: Sequence[Commitment]
) -> Settled:
    """Pay node-seconds (`[pool, lane, hour]`) at each pool's price (`[pool]`), in hours of `hour_s` seconds (`[hour]`).

    The narrowest commitment applies first, and at the same scope one to nodes before one to a value; each covers the
    dearest use first. It is paid in full in every hour. So no other order costs less, and no rise of a price makes the
    bill smaller: for that, scopes must be nested. Raises PriceError where two overlap in part, or where one to a value
    stands within one to nodes.
    """
    scopes = _ordered(commitments, offers)
    spot = np.array([offer.capacity is CapacityType.SPOT for offer in offers], np.bool_)
    ticks = price[:, None, None] * paid_s
    left = np.where(spot[:, None, None], 0, ticks)
    committed, unused = np.zeros_like(ticks), np.zeros(ticks.shape[1:], np.int64)
    for commitment, pools in scopes:
        cost = commitment.micros * hour_s
        limit = (commitment.nodes or commitment.value_micros) * hour_s + np.zeros_like(unused)
        whole, free = limit, limit
        unused = unused + cost
        for pool in sorted(pools, key=lambda each: -price[each]):
            unit = int(price[pool]) if commitment.nodes else 1
            covered = np.minimum(left[pool], free * unit)
            taken = -(-covered // max(unit, 1))
            left[pool] -= covered
            free = free - taken
            share = np.floor(cost * (taken / np.maximum(whole, 1))).astype(np.int64)
            committed[pool] += share
            unused -= share
    return Settled(left, np.where(spot[:, None, None], ticks, 0), committed, unused)


def _ordered(commitments: Sequence[Commitment], offers: Sequence[Offer]) -> list[tuple[Commitment, frozenset[int]]]:
    """The commitments with the pools that they can cover, narrowest first. Raises PriceError."""
    scopes = [(each, frozenset(p for p, offer in enumerate(offers) if each.covers(offer))) for each in commitments]
    scopes.sort(key=lambda scope: (len(scope[1]), scope[0].nodes == 0))
    for place, (outer, wide) in enumerate(scopes):
        for inner, narrow in scopes[:place]:
            if narrow & wide and not narrow <= wide:
                raise PriceError(
                    f"commitments {inner.name} and {outer.name} cover the same nodes in part; which applies first is"
                    " not known: give one of them the provider, family and region of the other"
                )
            if narrow and narrow < wide and outer.nodes and not inner.nodes:
                raise PriceError(
                    f"commitment {inner.name} covers a value, within {outer.name}, which covers nodes; state both in"
                    " nodes or both as a value"
                )
    return scopes

"""Prices as columns: what an hour of a node costs, by provider, instance type, region, zone and capacity type."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from policies.pricing.money import HOUR_S, MICROS
from policies.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policies.arrays import FloatArray, IntArray

ANYWHERE = ""  # a region or a zone that is not told: the price holds in all of them
DAY_S = 86_400.0
STALE_AFTER_S = 90 * DAY_S
FEW = 8  # names that fit into a message

_WORDS = {
    "instance_type": "instance type",
    "provider": "provider",
    "region": "region",
    "capacity": "capacity type",
}
_AZURE = re.compile(r"(?:Standard_)?(?P<kind>[A-Z]+)\d+(?:-\d+)?(?P<rest>\w*)")


class PriceError(ValueError):
    """A price that is not there, or prices that do not go together: the message says what there is."""


class CapacityType(StrEnum):
    """How a node is bought. What is committed is on-demand capacity that a commitment covers."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be bought by the hour: nodes of a type somewhere. Empty region or zone: wherever."""

    provider: str
    instance_type: str
    region: str = ANYWHERE
    zone: str = ANYWHERE
    capacity: CapacityType = CapacityType.ON_DEMAND

    @property
    def family(self) -> str:
        """The family of the instance type, as discounts and commitments name it."""
        return family_of(self.provider, self.instance_type)

    def __str__(self) -> str:
        place = self.zone or self.region
        words = (self.provider, self.instance_type, str(self.capacity), place and f"in {place}")
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Discount:
    """So many per cent less on what it matches; an empty field matches everything."""

    percent: float
    provider: str = ""
    family: str = ""
    capacity: CapacityType | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a percentage that is none."""
        if not 0 <= self.percent <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"a discount is 0 to 100 per cent, not {self.percent:g}")

    def matches(self, offer: Offer) -> bool:
        """Whether it holds for this offer."""
        return (
            self.provider in ("", offer.provider)
            and self.family in ("", offer.family)
            and self.capacity in (None, offer.capacity)
        )


@dataclass(frozen=True, slots=True)
class Commitment:
    """Capacity paid for whether it is used or not.

    It covers `nodes` at once, or on-demand use worth `value_micros` an hour (as a savings plan does), of what it
    matches; an empty field matches everything, so that its scope is an instance type, a family, a region or anything.
    """

    name: str
    micros: int  # paid an hour for all that it covers, the upfront part spread over the term
    nodes: int = 0
    value_micros: int = 0
    provider: str = ""
    instance_type: str = ""
    family: str = ""
    region: str = ""
    term_s: float = 365 * DAY_S
    upfront_ratio: float = 0.0  # 0: none, 1: all is paid at the start of the term

    def __post_init__(self) -> None:
        """Raises ValueError for a commitment to nothing or to both."""
        if (self.nodes > 0) == (self.value_micros > 0) or min(self.nodes, self.value_micros, self.micros) < 0:
            raise ValueError(f"commitment {self.name}: says how many nodes it covers, or on-demand use of what value")
        if not 0 <= self.upfront_ratio <= 1 or self.term_s <= 0:
            raise ValueError(f"commitment {self.name}: the upfront share is 0 to 1, and the term above 0 s")

    @property
    def upfront_micros(self) -> int:
        """What is due at the start of the term, in millionths of the currency; a part of what `micros` add up to."""
        return round(self.upfront_ratio * self.micros * self.term_s / HOUR_S)

    def covers(self, offer: Offer) -> bool:
        """Whether nodes of this offer can be covered; spot never is."""
        return (
            offer.capacity is CapacityType.ON_DEMAND
            and self.provider in ("", offer.provider)
            and self.instance_type in ("", offer.instance_type)
            and self.family in ("", offer.family)
            and self.region in ("", offer.region)
        )


@dataclass(frozen=True, slots=True)
class Staleness:
    """That prices are older than they should be: how old the oldest is, and how many are."""

    oldest_s: float
    limit_s: float
    rows: int
    example: Offer

    def __str__(self) -> str:
        return (
            f"prices older than {self.limit_s / DAY_S:.0f} days: {self.rows}; "
            f"the oldest ({self.example}) is {self.oldest_s / DAY_S:.0f} days old"
        )


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of nodes; every column is `[row]`. One currency for all."""

    currency: str
    offers: tuple[Offer, ...]
    micros: IntArray  # millionths of the currency an hour
    as_of_s: FloatArray  # wall time at which the price held
    sources: tuple[str, ...]
    _rows: dict[Offer, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises PriceError when an offer has two prices."""
        rows = {offer: row for row, offer in enumerate(self.offers)}
        if len(rows) < len(self.offers):
            twice = next(offer for row, offer in enumerate(self.offers) if rows[offer] != row)
            raise PriceError(f"{twice} has two prices; keep one of them")
        object.__setattr__(self, "_rows", rows)

    def row(self, offer: Offer) -> int:
        """The row with the price of this offer: of its zone, else of its region, else of its type wherever.

        Prices that name no provider hold for all. Raises PriceError, with names that are near.
        """
        regions, zones = dict.fromkeys((offer.region, ANYWHERE)), dict.fromkeys((offer.zone, ANYWHERE))
        for provider, zone, region in product(dict.fromkeys((offer.provider, "")), zones, regions):
            found = self._rows.get(replace(offer, provider=provider, region=region, zone=zone))
            if found is not None:
                return found
        raise PriceError(self._absent(offer))

    def price_micros(self, offer: Offer) -> int:
        """Its price in millionths an hour. Raises PriceError."""
        return int(self.micros[self.row(offer)])

    def price(self, offer: Offer) -> float:
        """Its price an hour. Raises PriceError."""
        return self.price_micros(offer) / MICROS

    def discounted(self, discounts: Sequence[Discount]) -> PriceTable:
        """Every price less all discounts that match it, one after the other, rounded to a millionth."""
        kept = [np.prod([1 - each.percent / 100 for each in discounts if each.matches(offer)]) for offer in self.offers]
        return replace(self, micros=np.rint(self.micros * np.array(kept)).astype(np.int64))

    def staleness(
        self, now_s: float, limit_s: float = STALE_AFTER_S, *, of: Iterable[int] | None = None
    ) -> Staleness | None:
        """What to warn of: prices (of these rows; None: any) that are older than the limit; None where none is."""
        rows = np.arange(len(self.offers)) if of is None else np.array(sorted(set(of)), np.int64)
        age_s = now_s - self.as_of_s[rows]
        old = rows[age_s > limit_s]
        if not old.size:
            return None
        oldest = int(rows[np.argmax(age_s)])
        return Staleness(float(age_s.max()), limit_s, int(old.size), self.offers[oldest])

    def _absent(self, offer: Offer) -> str:
        """Which part of an offer no price has, and what comes near."""
        same: Sequence[Offer] = self.offers
        for name in ("instance_type", "provider", "region", "capacity"):
            what, given = _WORDS[name], str(getattr(offer, name))
            left = [each for each in same if getattr(each, name) in (given, ANYWHERE)]
            if not left:
                known = sorted({str(getattr(each, name)) for each in same})
                few = f"; there is {', '.join(known)}" if 0 < len(known) <= FEW else ""
                wanted = f"no {what} {given!r}" if given else f"it names no {what}"
                return f"no price for {offer}: {wanted}{nearest(given, known) or few}"
            same = left
        return f"no price for {offer}: only in zones {', '.join(sorted({each.zone for each in same}))}"


def no_prices(currency: str) -> PriceTable:
    """A table without rows."""
    return PriceTable(currency, (), np.zeros(0, np.int64), np.zeros(0), ())


def family_of(provider: str, instance_type: str) -> str:
    """The family of an instance type: m5 of m5.large, n2 of n2-standard-4, Dsv5 of Standard_D4s_v5."""
    if provider == "azure" and (found := _AZURE.fullmatch(instance_type)) is not None:
        return found["kind"] + found["rest"].replace("_", "")
    return re.split(r"[.-]", instance_type, maxsplit=1)[0]

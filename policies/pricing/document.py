"""Prices, the document in which users state their own: prices, discounts, commitments, in one currency."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, StrictStr, ValidationError

from policies.checks import Count
from policies.pricing.money import MICROS
from policies.pricing.table import CapacityType, Commitment, Discount, Offer, PriceError, PriceTable
from policies.problems import Location, Part, PolicyError, Problem, Rule, problems_of
from policies.quantities import Amount, DurationS, Moment, Price, Share

API_VERSION = "foresail.dev/v1alpha1"
KIND = "Prices"

_CAPACITY = Literal["on-demand", "spot"]


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """What a user states: prices with the discounts taken off, and commitments."""

    table: PriceTable
    commitments: tuple[Commitment, ...] = ()


def _something_costs(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    if given.get("onDemand") is None and given.get("spot") is None:
        yield (), "states no price: give onDemand, spot or both"


def _one_measure(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    if (given.get("nodes") is None) == (given.get("value") is None):
        yield (), "covers either a number of nodes or on-demand use of a value an hour: give one of nodes and value"


def _percent(value: float) -> float:
    if not 0 <= value <= 100:  # noqa: PLR2004 - per cent
        raise ValueError(f"must be 0 to 100 per cent, not {value:g}")
    return value


def _ratio(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"must be a share from 0 to 1, not {value:g}")
    return value


def _above_0(value: float) -> float:
    if value <= 0:
        raise ValueError("must be above 0s")
    return value


class InstancePrice(Part):
    """What an hour of an instance type costs."""

    rules: ClassVar[tuple[Rule, ...]] = (_something_costs,)

    provider: StrictStr = Field("", description="Provider, such as `aws`; any if absent.")
    instance_type: StrictStr = Field(description="Instance type, as nodes are labelled with it.")
    region: StrictStr = Field("", description="Region; all if absent.")
    zone: StrictStr = Field("", description="Zone; all of the region if absent.")
    on_demand: Price | None = Field(None, description="Price on demand.")
    spot: Price | None = Field(None, description="Price of spot.")
    as_of: Moment | None = Field(None, description="When it held; the document's if absent.")


class DiscountPart(Part):
    """So many per cent less; absent fields match everything. Several that match are taken off one after the other."""

    percent: Annotated[Amount, AfterValidator(_percent)] = Field(description="Per cent.")
    provider: StrictStr = Field("", description="Provider.")
    family: StrictStr = Field("", description="Instance family, such as `m5`.")
    capacity_type: _CAPACITY | None = Field(None, description="Capacity type.")


class CommitmentPart(Part):
    """What is paid whether it is used or not. The fields that are there are its scope."""

    rules: ClassVar[tuple[Rule, ...]] = (_one_measure,)

    name: StrictStr = Field(description="Name, for the report.")
    nodes: Count | None = Field(None, description="How many nodes it covers, at `price` each.")
    value: Price | None = Field(None, description="On-demand use that it covers, in the currency an hour, at `price`.")
    price: Price = Field(description="Price an hour, upfront payments spread over the term.")
    term: Annotated[DurationS, AfterValidator(_above_0)] = Field(
        365 * 86_400.0, description="Term.", json_schema_extra={"default": "365d"}
    )
    upfront: Annotated[Share, AfterValidator(_ratio)] = Field(0.0, description="Share that is paid at the start.")
    provider: StrictStr = Field("", description="Provider.")
    instance_type: StrictStr = Field("", description="Instance type.")
    family: StrictStr = Field("", description="Instance family.")
    region: StrictStr = Field("", description="Region.")


class PricesDocument(Part):
    """Prices of your own."""

    api_version: Literal["foresail.dev/v1alpha1"]
    kind: Literal["Prices"]
    currency: StrictStr = Field("USD", description="Currency of every amount here.")
    as_of: Moment = Field(description="When the prices held.")
    prices: tuple[InstancePrice, ...] = Field((), description="Prices of instance types, an hour.")
    discounts: tuple[DiscountPart, ...] = Field((), description="Discounts on these prices.")
    commitments: tuple[CommitmentPart, ...] = Field((), description="What is committed.")


def own_prices(document: object, *, source: str) -> OwnPrices:
    """The prices of a parsed document. Raises PolicyError with every problem of it."""
    try:
        given = PricesDocument.model_validate(document)
    except ValidationError as error:
        raise PolicyError(problems_of(error, source=source, tags=frozenset())) from error
    rows = [row for each in given.prices for row in _rows(each, given.as_of)]
    table = table_of(rows, currency=given.currency, source=source)
    discounts = [
        Discount(each.percent, each.provider, each.family, each.capacity_type and CapacityType(each.capacity_type))
        for each in given.discounts
    ]
    return OwnPrices(table.discounted(discounts), tuple(map(_commitment, given.commitments)))


def table_of(rows: list[tuple[Offer, float, float]], *, currency: str, source: str) -> PriceTable:
    """A table of offers, prices and the times at which they held. Raises PolicyError for an offer that stands twice."""
    try:
        return PriceTable(
            currency=currency,
            offers=tuple(offer for offer, _, _ in rows),
            micros=np.rint(np.array([price for _, price, _ in rows], np.float64) * MICROS).astype(np.int64),
            as_of_s=np.array([as_of_s for _, _, as_of_s in rows], np.float64),
            sources=(source,) * len(rows),
        )
    except PriceError as error:
        raise PolicyError([Problem(source, "prices", str(error))]) from error


def _rows(given: InstancePrice, as_of_s: float) -> Iterator[tuple[Offer, float, float]]:
    for capacity, price in ((CapacityType.ON_DEMAND, given.on_demand), (CapacityType.SPOT, given.spot)):
        if price is not None:
            offer = Offer(given.provider, given.instance_type, given.region, given.zone, capacity)
            yield offer, price, as_of_s if given.as_of is None else given.as_of


def _commitment(given: CommitmentPart) -> Commitment:
    return Commitment(
        name=given.name,
        micros=round(given.price * MICROS) * (given.nodes or 1),
        nodes=given.nodes or 0,
        value_micros=round((given.value or 0.0) * MICROS),
        provider=given.provider,
        instance_type=given.instance_type,
        family=given.family,
        region=given.region,
        term_s=given.term,
        upfront_ratio=given.upfront,
    )

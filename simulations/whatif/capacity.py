"""What a scenario document says of capacity: pools and their prices, commitments, nodes, and what goes wrong."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictStr

from policies.checks import Count, share_from_0_to
from policies.pricing.facts import Machine, built_in_prices, machines
from policies.pricing.table import CapacityType, Offer, PriceError
from policies.problems import Part, Rule, nearest
from policies.quantities import PositiveQuantity, Price, Share
from simulations.whatif.loads import After
from simulations.whatif.rules import Found, Name, Positive, SomeDuration, Whole, one_of, unique

_DAY_S = 86_400.0


class Resources(Part):
    """What a replica requests, or what an instance has."""

    cpu: PositiveQuantity | None = Field(None, description="Cores.")
    memory: PositiveQuantity | None = Field(None, description="Bytes.")
    gpu: PositiveQuantity | None = Field(None, description="GPUs; shares of one only where they are shared.")


def built_in_price(instance_type: str | None, region: str | None, capacity: str) -> int:
    """What an instance costs an hour in a region, in millionths of a USD. Raises PriceError."""
    provider, _, name = (instance_type or "").partition("/")
    return built_in_prices().price_micros(Offer(provider, name, region or "", capacity=CapacityType(capacity)))


def machine_of(instance_type: str) -> Machine:
    """What an instance type has that is built in. Raises PriceError, with names that are near."""
    provider, _, name = instance_type.partition("/")
    if (provider, name) not in machines():
        known = [f"{each}/{kind}" for each, kind in machines()]
        raise PriceError(
            f"must be a provider/type of those built in, not {instance_type!r}{nearest(instance_type, known)}"
        )
    return machines()[provider, name]


def _pool_has_a_price(given: Mapping[str, object]) -> Found:
    """Find pools without a price, and instance types that are not built in."""
    kind, region = given.get("instanceType"), given.get("region")
    if kind is not None and given.get("instance") is not None:
        yield ("instance",), "is what instanceType says already; give one of them"
    if given.get("price") is None and kind is None:
        yield ("price",), "is required without an instanceType"
    if isinstance(kind, str):
        try:
            machine_of(kind)
            if given.get("price") is None:
                capacity = given.get("type", "on-demand")
                built_in_price(kind, region if isinstance(region, str) else None, str(capacity))
        except PriceError as error:
            yield ("instanceType",), str(error)
        except ValueError:  # the type, told where it is parsed
            return


class Pool(Part):
    """Instances of one kind in one zone, at one price."""

    rules: ClassVar[tuple[Rule, ...]] = (_pool_has_a_price,)

    name: Name = Field(description="Name of the pool, unique.")
    type: Literal["on-demand", "spot"] = Field("on-demand", description="Capacity type.")
    price: Price | None = Field(
        None,
        description="Price of one instance for an hour; of one replica where neither `instance` nor `instanceType` is"
        " written. If absent, the built-in price of `instanceType` in `region`, in USD.",
    )
    zone: Name | None = Field(None, description="Zone; pools of one zone lose spot together. The name if absent.")
    region: Name | None = Field(None, description="Region, for the built-in price and for the reader.")
    instance_type: Name | None = Field(
        None,
        description="Provider and instance type, such as `aws/m5.xlarge`, one of those built in: what an instance has,"
        " less what the kubelet keeps, and its price where none is written.",
    )
    instance: Resources | None = Field(
        None,
        description="What an instance has, for types that are not built in."
        " As many replicas are packed into one as their `resources` allow.",
    )
    most: Whole | None = Field(None, description="Most replicas at once; no limit if absent.")


class Commitment(Part):
    """Instances that are paid whether they are used or not; on-demand instances of the pool are covered by them."""

    name: Name = Field(description="Name of the commitment, unique.")
    pool: Name = Field(description="On-demand pool whose instances it covers, of all workloads together.")
    instances: Whole = Field(description="How many.")
    price: Price = Field(description="Price of one for an hour, upfront payments spread over the term.")


class Nodes(Part):
    """How nodes come and go around replicas, and what they keep for themselves."""

    overhead: Annotated[Share, share_from_0_to(0.9)] = Field(
        0.0, description="Share of each instance's CPU and memory that daemons and the system take."
    )
    consolidation: After = Field(
        0.0, description="A released replica's place is paid so much longer.", json_schema_extra={"default": "0s"}
    )
    drain: After = Field(0.0, description="And so much more until it is drained.", json_schema_extra={"default": "0s"})
    image_pull: After = Field(
        0.0,
        description="Added to every start on a cold node: to all but the first entry of `startup`.",
        json_schema_extra={"default": "0s"},
    )


class Capacity(Part):
    """Pools, commitments and limits."""

    rules: ClassVar[tuple[Rule, ...]] = (unique("pools"), unique("commitments"))

    pools: Annotated[tuple[Pool, ...], Field(min_length=1)] = Field(description="Pools of instances.")
    commitments: tuple[Commitment, ...] = Field((), description="What is paid in any case.")
    nodes: Nodes = Field(Nodes(), description="How nodes come and go.")
    quota: Count | None = Field(None, description="Most on-demand replicas of a workload, over all pools.")


class Spells(Part):
    """Times in which a zone has spot and times in which it has none, in turn; each zone draws its own."""

    up: SomeDuration = Field(description="Mean time with spot.")
    down: SomeDuration = Field(description="Mean time without.")
    up_shape: Positive = Field(
        1.0, description="Weibull shape of the time with spot: 1 is a Markov model, below 1 old spells last longer."
    )
    down_shape: Positive = Field(1.0, description="Weibull shape of the time without.")


class Trace(Part):
    """Spot as it was recorded; each run begins at a random moment of the record, and the record goes round."""

    file: StrictStr = Field(
        description="Parquet with `trace`, `timestamp` and `value` (instances that can be had; of a trace of zeros"
        " and ones, whether any can), from the scenario's folder; a zone takes the trace of its own name."
    )


class Fitted(Part):
    """Spells whose lengths are drawn from those of a record, all zones alike."""

    file: StrictStr = Field(description="As of `trace`; spells that the record cuts off are left out.")


class Spot(Part):
    """When spot can be had: exactly one of these fields."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("trace", "fitted", "spells"),)

    trace: Trace | None = Field(None, description="As recorded.")
    fitted: Fitted | None = Field(None, description="Spells as long as recorded ones.")
    spells: Spells | None = Field(None, description="Spells of a model.")


class Refusals(Part):
    """Times in which a zone starts no on-demand instance; running ones go on."""

    share: Annotated[Share, share_from_0_to(0.9)] = Field(0.0, description="Share of time, apart from spot.")
    lasts: SomeDuration = Field(3600.0, description="Mean length.", json_schema_extra={"default": "1h"})
    with_spot: Annotated[Share, share_from_0_to(1)] = Field(
        0.0, description="Share of a zone's times without spot in which on-demand is refused there too."
    )


class ZoneLost(Part):
    """A zone in which everything stops for a time."""

    zone: Name = Field(description="Which zone.")
    after: After = Field(description="Time since the first scored step.")
    lasts: SomeDuration = Field(description="How long.")


class Faults(Part):
    """When capacity is refused or lost."""

    spot: Spot | None = Field(None, description="When spot can be had; always if absent.")
    on_demand_refusals: Refusals | None = Field(None, description="When on-demand is refused; never if absent.")
    zone_lost: ZoneLost | None = Field(None, description="A zone that is lost.")

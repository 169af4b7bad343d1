"""What a policy says of where its replicas stand: an on-demand base, and a spot surge beside it."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from policies.checks import Count, GroupVersion, KindName, Subdomain, share_up_to
from policies.problems import Location, Part
from policies.quantities import Share

ONE_POD_KINDS = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
"""Kinds of which each replica is one pod."""


class Target(Part):
    """The object to scale."""

    api_version: GroupVersion = Field(description="API group and version of the object, such as `apps/v1`.")
    kind: KindName = Field(description="Kind of the object; anything with a scale subresource.")
    name: Subdomain = Field(description="Name of the object, in the policy's namespace.")


class Spot(Part):
    """The surge: a second object that runs the same pods on spot nodes, by its own node selector."""

    target: Target = Field(description="The object to scale on spot nodes, in the policy's namespace.")
    price: Annotated[Share, share_up_to(1)] = Field(
        0.35, description="Price of a spot replica, as a share of that of an on-demand one."
    )
    short: Annotated[Share, share_up_to(0.5)] | None = Field(
        None,
        description="Share of replica-time that may be missing because spot nodes were taken back, up to 50 %;"
        " half of `objective.late` if absent. The forecast keeps what this leaves of `late`, half of it at least.",
    )


class OnDemand(Part):
    """The base: what of `spec.target` stays, whatever spot does."""

    min: Count = Field(1, description="Fewest replicas on demand.")


class Placement(Part):
    """Two objects under one policy, both by their scale alone: `spec.target` on demand, and a surge on spot."""

    spot: Spot = Field(description="The spot surge.")
    on_demand: OnDemand = Field(OnDemand(), description="The on-demand base.")


def late_parts(late: float, placement: Placement | None) -> tuple[float, float]:
    """What of the objective too few replicas may spend, and what spot nodes that are taken back may.

    0.01 without a `short` of its own is 0.005 and 0.005: both together keep it. A larger `short` takes no more from the
    first than half. Without placement all is the first's.
    """
    if placement is None:
        return late, late
    half = late / 2
    short = half if placement.spot.short is None else placement.spot.short
    return max(late - short, half), short


def placement_fits(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Find a surge that is the base itself or not made of single pods, a base above the maximum, and `floor`."""
    placement = given.get("placement")
    if not isinstance(placement, dict):
        return
    spot, base = placement.get("spot"), given.get("target")
    surge = spot.get("target") if isinstance(spot, dict) else None
    for path, target in ((("placement", "spot", "target"), surge), (("target",), base)):
        kind = target.get("kind") if isinstance(target, dict) else None
        if isinstance(kind, str) and kind not in ONE_POD_KINDS:
            yield (*path, "kind"), f"must be one of {', '.join(ONE_POD_KINDS)} beside placement, not {kind!r}"
    if isinstance(surge, dict) and isinstance(base, dict) and _named(surge) == _named(base):
        yield ("placement", "spot", "target"), "is spec.target itself; name the second object, which runs on spot nodes"
    if given.get("mode") == "floor":
        yield ("mode",), "floor publishes one number, which nobody can split for placement; use shadow or active"
    yield from _minimum_fits(placement, given.get("replicas"))


def _minimum_fits(placement: Mapping[str, object], replicas: object) -> Iterator[tuple[Location, str]]:
    on_demand = placement.get("onDemand")
    low = on_demand.get("min") if isinstance(on_demand, dict) else None
    high = replicas.get("max") if isinstance(replicas, dict) else None
    if type(low) is int and type(high) is int and low > high:
        yield ("placement", "onDemand", "min"), f"({low}) is above spec.replicas.max ({high}); lower it or raise max"


def _named(target: Mapping[str, object]) -> tuple[object, object]:
    return target.get("kind"), target.get("name")

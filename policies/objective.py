"""What a policy asks for: how late requests may be, what lateness and churn are worth, and what is to be beaten."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from policies.checks import (
    SignalName,
    amount_up_to,
    duration_within,
    late_up_to,
    share_from_0_to,
    share_up_to,
    slo_target,
)
from policies.problems import Location, Part, Rule
from policies.quantities import Amount, DurationS, LateShare, Moment, Price, Share, parse_share

DEFAULT_LATE: Final = 0.01
SLO_SHARE: Final = 0.25
"""Foresail may spend this share of an SLO's error budget; the rest is for everything else that goes wrong."""
SLO_HOUR_SHARE: Final = 0.05
"""And this share of its own part in any one hour, so that a month's budget is not gone in one evening."""

_HOUR_S = 3_600.0
_DAY_S = 86_400.0


Late = Annotated[LateShare, late_up_to(0.5)]


class Slo(Part):
    """The workload's own objective, of whose error budget Foresail spends a quarter at most."""

    target: Annotated[Share, slo_target] = Field(
        description="Share of requests that must be good, such as 0.999: at least 50 % and below 100 %."
    )
    window: Annotated[DurationS, duration_within(_DAY_S, 90 * _DAY_S)] = Field(
        30 * _DAY_S,
        description="Time over which the target is kept, from 1d to 90d.",
        json_schema_extra={"default": "30d"},
    )

    @property
    def late(self) -> float:
        """The most that Foresail may be late, as a share of the requests: 0.999 leaves 0.00025."""
        return SLO_SHARE * (1.0 - self.target)

    @property
    def late_in_an_hour(self) -> float:
        """The most in any hour, as a share of an average hour's requests: 0.999 over 30 d (720 h) leaves 0.009."""
        return SLO_HOUR_SHARE * self.late * self.window / _HOUR_S


class Prices(Part):
    """What replicas and lateness cost, both in one currency, whichever it is: that of all policies and budgets."""

    replica_hour: Price = Field(description="Price of one replica for an hour.")
    as_of: Moment | None = Field(
        None, description="When these prices held, with an offset from UTC; an alert tells when that is long ago."
    )
    late_request: Price | None = Field(
        None, description="Price of one request that comes too late; without, lateness is not priced."
    )
    signal: SignalName | None = Field(
        None,
        description="Demand signal in requests per second, with `capacityPerReplica`; the only such signal if absent.",
    )


def _slo_is_kept(given: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Find a `late` that would spend more of the SLO's error budget than Foresail may."""
    slo = given.get("slo")
    target = _share_or_none(slo.get("target") if isinstance(slo, Mapping) else None)
    late = _share_or_none(given.get("late"))
    if late is None or target is None or not 0 < target < 1:
        return
    most = SLO_SHARE * (1.0 - target)
    if late > most * (1 + 1e-9):
        yield (
            ("late",),
            (
                f"{late:g} is above {most:g}, which is {SLO_SHARE:.0%} of the error budget that slo.target ({target:g})"
                " leaves; lower late, or leave it out to have that"
            ),
        )


def _share_or_none(given: object) -> float | None:
    """A share as written, or None for what is none: that is told where it is parsed."""
    try:
        return parse_share(given)
    except ValueError:
        return None


class Objective(Part):
    """How late requests may be, what counts as late, and what it is worth."""

    rules: ClassVar[tuple[Rule, ...]] = (_slo_is_kept,)

    late: Late = Field(
        DEFAULT_LATE,
        description="Share of requests that may arrive while replicas are above `servingLimit`, up to 50 %;"
        " `incumbent`: no more than under the autoscaler in place, as measured in shadow once there is a day of it (the"
        " default until then).",
    )
    serving_limit: Annotated[Share, share_up_to(1)] = Field(
        0.8, description="Share of capacity up to which a replica serves in time."
    )
    slo: Slo | None = Field(
        None,
        description="The workload's own SLO. `late` is then at most a quarter of its error budget; in any one hour at"
        " most a twentieth of that quarter may be spent: from half of it on, more replicas are ordered.",
    )
    prices: Prices | None = Field(
        None,
        description="What a replica costs, for budgets, and what lateness does: less of it than `late` allows is then"
        " chosen where that is cheaper.",
    )
    churn: Annotated[Amount, amount_up_to(_DAY_S)] = Field(
        30.0,
        description="Price of starting or stopping one replica, in replica-seconds, up to 86400.",
    )

    @property
    def late_share(self) -> float:
        """The share that holds until the incumbent's is known: as written, or the default, within the SLO's part."""
        late = DEFAULT_LATE if self.late == "incumbent" else self.late
        return late if self.slo is None else min(late, self.slo.late)


class Incumbent(Part):
    """The autoscaler in place, where it cannot be read from the cluster."""

    type: Literal["hpa"] = Field("hpa", description="Which rule it follows: that of the Horizontal Pod Autoscaler.")
    target: Annotated[Share, share_up_to(1)] | None = Field(
        None, description="Utilisation that it aims at, as a share of capacity; 0.875 of `servingLimit` if absent."
    )
    tolerance: Annotated[Share, share_from_0_to(0.9)] = Field(
        0.1, description="Deviation from the target up to which it does nothing."
    )
    window: Annotated[DurationS, duration_within(0, _HOUR_S)] = Field(
        300.0,
        description="Stabilisation window of its falls, up to 1h.",
        json_schema_extra={"default": "5m"},
    )

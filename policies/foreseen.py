"""What a policy says of the future: how its demand is forecast, and when load is known to differ."""

from typing import Annotated, ClassVar

from pydantic import Field, StrictBool

from policies.checks import Cron, SignalName, TimeZone, duration_within, exactly_one
from policies.problems import Part, Rule
from policies.quantities import DurationS, Moment, PositiveQuantity

_DAY_S = 86_400.0


class Event(Part):
    """A time at which load is known to differ: a launch, a sale, a nightly batch."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("at", "cron"), exactly_one("factor", "extra"))

    name: SignalName = Field(description="Name of the event, unique in the policy.")
    at: Moment | None = Field(None, description="When it begins, once, with an offset from UTC.")
    cron: Cron | None = Field(None, description="When it begins, again and again, in `timezone`.")
    timezone: TimeZone = Field("UTC", description="Time zone in which `cron` is read.")
    duration: Annotated[DurationS, duration_within(60, 7 * _DAY_S)] = Field(
        description="How long it lasts, from 1m to 7d."
    )
    factor: PositiveQuantity | None = Field(None, description="What usual load is multiplied by meanwhile.")
    extra: PositiveQuantity | None = Field(None, description="Load that comes on top, in the signal's unit.")
    signal: SignalName | None = Field(None, description="The demand signal it changes; all of them if absent.")


class Forecast(Part):
    """Forecasting of demand."""

    enabled: StrictBool = Field(
        default=True,
        description="Whether forecasts decide, once they have a day of evidence; until then they may raise. False:"
        " Kubernetes' rule alone decides, and events do nothing.",
    )
    history: Annotated[DurationS, duration_within(_DAY_S, 35 * _DAY_S)] = Field(
        14 * _DAY_S,
        description="How far back the models look, from 1d to 35d.",
        json_schema_extra={"default": "14d"},
    )
    events: tuple[Event, ...] = Field(
        (),
        description="Times at which load is known to differ. From one start-up before one until ten minutes into it, as"
        " many replicas are kept as the load before it needs with `factor` or `extra`, within the maximum. Forecasts"
        " that people plan with know them too.",
    )

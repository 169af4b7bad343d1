"""The load of a workload in a scenario document: where it comes from, and how it changes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictStr

from policies.checks import Count, amount_up_to, duration_within, share_from_0_to
from policies.problems import Part, Rule
from policies.quantities import Amount, DurationS, Share
from simulations.whatif.rules import Positive, SomeDuration, as_many, one_of

_DAY_S = 86_400.0
_YEAR_S = 366 * _DAY_S
_LARGEST = 1e6

After = Annotated[DurationS, duration_within(0, _YEAR_S)]
Factor = Annotated[Amount, amount_up_to(_LARGEST)]


class Daily(Part):
    """A wave of 24 h."""

    swing: Annotated[Share, share_from_0_to(1)] = Field(0.5, description="1 + swing at the peak, 1 - swing at night.")
    peak_hour: Annotated[Amount, amount_up_to(24)] = Field(14.0, description="Hour of the peak, UTC.")


class Noise(Part):
    """Lognormal noise of mean 1, drawn anew in every run."""

    sigma: Annotated[Amount, amount_up_to(3)] = Field(description="Standard deviation of its logarithm.")
    correlation: After = Field(
        0.0,
        description="After this time a deviation has faded to 1/e; 0s: steps are independent.",
        json_schema_extra={"default": "0s"},
    )


class FlashCrowds(Part):
    """Flash crowds at random moments, drawn anew in every run: their number is Poisson, their heights Pareto."""

    per_day: Factor = Field(description="Mean number a day.")
    typical_peak: Factor = Field(2.0, description="Median factor of a crowd at its height.")
    rise: SomeDuration = Field(60.0, description="Time to the height.", json_schema_extra={"default": "1m"})
    fade: SomeDuration = Field(
        600.0, description="Time in which it fades to 1/e.", json_schema_extra={"default": "10m"}
    )


class Generate(Part):
    """A synthetic load: a level, multiplied by what is written here."""

    level: Positive = Field(description="Mean load, in the unit of the replica's capacity (requests per second, say).")
    daily: Daily | None = Field(None, description="Wave of a day.")
    hourly: tuple[Factor, ...] | None = Field(
        None, description="Factor at each full hour (UTC), in a straight line between them: 24 of them."
    )
    weekly: tuple[Factor, ...] | None = Field(
        None, description="Factor of each weekday (UTC), Monday first: 7 of them."
    )
    noise: Noise | None = Field(None, description="Noise.")
    flash_crowds: FlashCrowds | None = Field(None, description="Flash crowds at random moments.")

    rules: ClassVar[tuple[Rule, ...]] = (
        as_many("hourly", 24, "from midnight on"),
        as_many("weekly", 7, "Monday first"),
    )


class Prometheus(Part):
    """The load as a Prometheus recorded it."""

    query: StrictStr = Field(description="PromQL query that returns one series: the load.")
    days: Count = Field(14, description="How many days back from now.")


class Load(Part):
    """Where the load comes from: exactly one of the first four fields."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("file", "journal", "prometheus", "generate"),)

    file: StrictStr | None = Field(
        None, description="Load file (parquet or CSV with `timestamp` and `value`), from the scenario's folder."
    )
    journal: StrictStr | None = Field(None, description="`namespace/name` of a workload in the daemon's journal.")
    prometheus: Prometheus | None = Field(None, description="A query on the Prometheus that the command is given.")
    generate: Generate | None = Field(None, description="A synthetic load.")
    redraw: Literal["days", "nothing"] = Field(
        "days",
        description="How a recorded load differs from run to run. `days`: each day is one of the recorded days, drawn"
        " with replacement, working days and weekends apart. `nothing`: every run has the load as it was recorded.",
    )


class Growth(Part):
    """Growth that compounds from the first scored step on."""

    per_year: Annotated[Amount, amount_up_to(100)] = Field(description="0.5 is 50 % more after 365 days.")


class Launch(Part):
    """A change of level that stays, such as a new product or tenant."""

    after: After = Field(description="Time since the first scored step.")
    over: After = Field(0.0, description="Time of the change, in a straight line.", json_schema_extra={"default": "0s"})
    to: Factor = Field(description="Factor that stays.")


class FlashCrowd(Part):
    """One crowd at a known moment."""

    after: After = Field(description="Time since the first scored step.")
    peak: Factor = Field(description="Factor at its height.")
    rise: SomeDuration = Field(60.0, description="Time to the height.", json_schema_extra={"default": "1m"})
    fade: SomeDuration = Field(
        600.0, description="Time in which it fades to 1/e.", json_schema_extra={"default": "10m"}
    )


class RegionLost(Part):
    """Another region fails and its load comes here."""

    after: After = Field(description="Time since the first scored step.")
    lasts: SomeDuration = Field(description="How long.")
    extra: Factor = Field(description="Load that comes on top, as a share of the own one: 1 doubles it.")


class Failure(Part):
    """The load stays away for a time, and what clients retry comes on top afterwards."""

    after: After = Field(description="Time since the first scored step.")
    lasts: SomeDuration = Field(description="How long.")
    left: Annotated[Share, share_from_0_to(1)] = Field(0.0, description="Share that still arrives.")
    rebound: Factor = Field(1.0, description="Factor right after the end, fading.")
    fade: SomeDuration = Field(
        600.0, description="Time in which it fades to 1/e.", json_schema_extra={"default": "10m"}
    )


class MetricsOutage(Part):
    """A time in which policies see nothing of the load."""

    after: After = Field(description="Time since the first scored step.")
    lasts: SomeDuration = Field(description="How long.")


class Change(Part):
    """One thing that happens to the load: exactly one of these fields."""

    rules: ClassVar[tuple[Rule, ...]] = (
        one_of("growth", "launch", "flashCrowd", "regionLost", "failure", "metricsOutage"),
    )

    growth: Growth | None = Field(None, description="It grows.")
    launch: Launch | None = Field(None, description="It changes its level for good.")
    flash_crowd: FlashCrowd | None = Field(None, description="A crowd comes.")
    region_lost: RegionLost | None = Field(None, description="Another region's load comes here.")
    failure: Failure | None = Field(None, description="It stays away, then comes back with retries.")
    metrics_outage: MetricsOutage | None = Field(None, description="Nobody sees it.")

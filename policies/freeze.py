"""Freeze windows, as a policy or a budget writes them: times in which counts are not lowered, or not changed at all."""

from typing import Annotated, Literal

from pydantic import Field

from policies.checks import Cron, TimeZone, duration_within
from policies.problems import Part
from policies.quantities import DurationS

_DAY_S = 86_400.0


class Freeze(Part):
    """A window of change that Foresail keeps out of, from each time the cron expression names, for a duration."""

    cron: Cron = Field(description="When a window begins: minute, hour, day of month, month, day of week.")
    timezone: TimeZone = Field("UTC", description="Time zone in which `cron` is read.")
    duration: Annotated[DurationS, duration_within(60, 7 * _DAY_S)] = Field(
        description="How long a window lasts, from 1m to 7d."
    )
    allow: Literal["raise", "nothing"] = Field(
        "raise",
        description="`raise`: counts may rise and are not lowered; `nothing`: they stay as they are. Overrides and the"
        " annotation `foresail.dev/replicas` still take effect.",
    )

"""Scaling behaviour as autoscaling/v2 has it: what a user may write, and the defaults where nothing is written."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from policies.checks import Count
from policies.problems import Part
from policies.quantities import Quantity


class ScalingPolicy(Part):
    """One limit on the speed of change."""

    type: Literal["Pods", "Percent"] = Field(description="Unit of `value`.")
    value: Count = Field(description="Largest change within the period.")
    period_seconds: Annotated[StrictInt, Field(ge=1, le=1800)] = Field(description="Length of the period.")


_Policies = Annotated[tuple[ScalingPolicy, ...], Field(min_length=1)]
_Window = Annotated[StrictInt, Field(ge=0, le=3600)]
_Select = Literal["Max", "Min", "Disabled"]
_WINDOW = "Seconds over which past recommendations still count."
_POLICIES = "Limits on the speed of change."
_SELECT = "Which policy holds: the one that allows most, the one that allows least; `Disabled` forbids the direction."
_TOLERANCE = "Change of the ratio to target below which nothing is done."
_DOUBLE = ScalingPolicy(type="Percent", value=100, period_seconds=15)
_FOUR_PODS = ScalingPolicy(type="Pods", value=4, period_seconds=15)


class ScaleUp(Part):
    """Behaviour upwards; absent fields have the defaults of autoscaling/v2."""

    stabilization_window_seconds: _Window = Field(0, description=_WINDOW)
    policies: _Policies = Field((_FOUR_PODS, _DOUBLE), description=_POLICIES)
    select_policy: _Select = Field("Max", description=_SELECT)
    tolerance: Quantity = Field(Decimal("0.1"), description=_TOLERANCE)


class ScaleDown(Part):
    """Behaviour downwards; absent fields have the defaults of autoscaling/v2."""

    stabilization_window_seconds: _Window = Field(300, description=_WINDOW)
    policies: _Policies = Field((_DOUBLE,), description=_POLICIES)
    select_policy: _Select = Field("Max", description=_SELECT)
    tolerance: Quantity = Field(Decimal("0.1"), description=_TOLERANCE)


class Behavior(Part):
    """Speed and steadiness of scaling, named as in autoscaling/v2, whose defaults hold where nothing is written."""

    scale_up: ScaleUp | None = Field(None, description="Upwards. Written, it binds every candidate policy.")
    scale_down: ScaleDown | None = Field(None, description="Downwards. Written, it binds every candidate policy.")

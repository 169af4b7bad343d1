"""WorkloadPolicy, the one document a user writes: its fields and what they mean."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, StrictBool, StrictStr, ValidationError, model_validator

from policies.behavior import Behavior, ScaleDown, ScaleUp, ScalingPolicy
from policies.budget import WorkloadBudget, budget_has_a_price
from policies.checks import (
    SERVER_SET,
    Count,
    Cron,
    Integer,
    Label,
    MatchValue,
    MetricLabel,
    Query,
    SignalName,
    Subdomain,
    TimeZone,
    bounds_agree,
    duration_within,
    events_speak_of_signals,
    exactly_one,
    names_are_unique,
    off_in_yaml,
    per_pod_needs_average,
    prices_have_requests,
    something_decides,
)
from policies.foreseen import Event, Forecast
from policies.freeze import Freeze
from policies.objective import Incumbent, Objective, Prices, Slo
from policies.placement import OnDemand, Placement, Spot, Target, placement_fits
from policies.presets.written import PresetName, preset_agrees, with_presets
from policies.problems import Part, PolicyError, Problem, Rule, problems_of
from policies.quantities import DurationS, PositiveQuantity, milli

__all__ = [
    "API_VERSION",
    "KIND",
    "Behavior",
    "BoundQuery",
    "CapacityFromRequest",
    "DemandSignal",
    "Event",
    "Forecast",
    "Freeze",
    "Incumbent",
    "LateSignal",
    "Metadata",
    "Objective",
    "OnDemand",
    "Placement",
    "PolicyError",
    "PressureSignal",
    "PressureTarget",
    "Prices",
    "Problem",
    "Replicas",
    "ScaleDown",
    "ScaleUp",
    "ScalingPolicy",
    "Schedule",
    "Signal",
    "Slo",
    "Spec",
    "Spot",
    "Target",
    "WorkloadPolicy",
    "duplicates",
    "policy_from",
]

API_VERSION = "foresail.dev/v1alpha1"
KIND = "WorkloadPolicy"

_DAY_S = 86_400.0
_SIGNAL_KINDS = frozenset({"demand", "pressure", "late"})
_VARIABLE = re.compile(r"\$(namespace|name)\b")


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """One signal's query with its variables filled in.

    Queries of equal text are asked once; `match` (sorted pairs of label and value) then selects a policy's series.
    """

    signal: str
    query: str
    match: tuple[tuple[str, str], ...]
    either: bool = False  # its selectors tell the same, and one of them suffices


class Metadata(Part):
    """Name and place of the policy; what an API server adds besides is accepted and dropped."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET

    name: Subdomain = Field(description="Name of the policy, unique in its namespace.")
    namespace: Label = Field("default", description="Namespace of the policy and of its target.")
    labels: Mapping[StrictStr, StrictStr] = Field({}, description="Labels, for the reader and for other tools.")
    annotations: Mapping[StrictStr, StrictStr] = Field({}, description="Annotations, for the reader and other tools.")


class Schedule(Part):
    """Bounds that hold from each time the cron expression names, for a duration."""

    cron: Cron = Field(description="When a window begins: minute, hour, day of month, month, day of week.")
    timezone: TimeZone = Field("UTC", description="Time zone in which `cron` is read.")
    duration: Annotated[DurationS, duration_within(1, 7 * _DAY_S)] = Field(
        description="How long a window lasts, up to 7d."
    )
    min: Count | None = Field(None, description="Fewest replicas meanwhile; the policy's `min` if absent.")
    max: Count | None = Field(None, description="Most replicas meanwhile; the policy's `max` if absent.")


class Replicas(Part):
    """Bounds on replicas, always and by schedule."""

    rules: ClassVar[tuple[Rule, ...]] = (bounds_agree,)

    min: Count = Field(1, description="Fewest replicas.")
    max: Count = Field(description="Most replicas.")
    schedules: tuple[Schedule, ...] = Field(
        (),
        description="Windows with other bounds. While one is active its bounds replace `min` and `max`;"
        " while several are, the larger min and the larger max hold.",
    )


class CapacityFromRequest(Part):
    """The pods' own request as what a replica serves at 100 %."""

    resource: Literal["cpu", "memory"] = Field(description="Resource whose request is the capacity.")
    container: Label | None = Field(None, description="Count this container's request alone; all containers if absent.")


class DemandSignal(Part):
    """Load that is the same whatever Foresail decides: arrivals, or usage summed over replicas."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("capacityPerReplica", "capacityFromRequest"), preset_agrees)

    kind: Literal["demand"] = Field(description="Load that does not depend on the replicas there are.")
    name: SignalName = Field(description="Name of the signal, unique in the policy.")
    query: Query = Field(
        description="PromQL query; `$namespace` and `$name` stand for the policy's namespace and the target's name."
    )
    preset: PresetName | None = Field(
        None, description="A signal that Foresail knows, such as `vllm/queue`, in place of `kind`, `name` and `query`."
    )
    match: Mapping[MetricLabel, MatchValue] = Field(
        {}, description="Labels that select this workload's series when the query's answer serves many workloads."
    )
    capacity_per_replica: PositiveQuantity | None = Field(
        None, description="What one replica serves at 100 %, in the query's unit."
    )
    capacity_from_request: CapacityFromRequest | None = Field(
        None,
        description="Take the pods' request as capacity; the query then returns usage per pod"
        " (label `pod`), in cores or bytes.",
    )

    @property
    def capacity_per_replica_milli(self) -> int | None:
        """What one replica serves, in thousandths of the query's unit (int64), if declared."""
        return None if self.capacity_per_replica is None else milli(self.capacity_per_replica)


class PressureTarget(Part):
    """The value at which a pressure signal asks for no more replicas."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("averageValue", "value"),)

    average_value: PositiveQuantity | None = Field(None, description="Target per replica.")
    value: PositiveQuantity | None = Field(None, description="Target of the total.")

    @property
    def milli(self) -> int:
        """The target in thousandths (int64)."""
        return milli(self.average_value or self.value or Decimal())


class PressureSignal(Part):
    """What depends on the replicas there are: queue length, cache use, latency, utilisation near its ceiling."""

    rules: ClassVar[tuple[Rule, ...]] = (per_pod_needs_average, preset_agrees)

    kind: Literal["pressure"] = Field(description="A reading that depends on the replicas there are.")
    name: SignalName = Field(description="Name of the signal, unique in the policy.")
    query: Query = Field(
        description="PromQL query; `$namespace` and `$name` stand for the policy's namespace and the target's name."
    )
    preset: PresetName | None = Field(
        None, description="A signal that Foresail knows, such as `vllm/queue`, in place of `kind`, `name` and `query`."
    )
    match: Mapping[MetricLabel, MatchValue] = Field(
        {}, description="Labels that select this workload's series when the query's answer serves many workloads."
    )
    target: PressureTarget = Field(description="Where the signal should be; exactly one of its fields.")
    per_pod: StrictBool = Field(
        default=False, description="The query returns one series per pod (label `pod`); needs `averageValue`."
    )


class LateSignal(Part):
    """How late the workload really is, as its own metrics tell: it is measured, and asks for no replicas."""

    kind: Literal["late"] = Field(description="Share of requests that are late or fail now.")
    name: SignalName = Field(description="Name of the signal, unique in the policy.")
    query: Query = Field(
        description="PromQL query that returns a share from 0 to 1, such as 1 - good / total over a few minutes;"
        " `$namespace` and `$name` stand for the policy's namespace and the target's name."
        " What is below 0 or above 1, or no number (0 / 0), counts as missing: `clamp(..., 0, 1)` mends rounding."
    )
    match: Mapping[MetricLabel, MatchValue] = Field(
        {}, description="Labels that select this workload's series when the query's answer serves many workloads."
    )


Signal = Annotated[DemandSignal | PressureSignal | LateSignal, Field(discriminator="kind")]


class Spec(Part):
    """What to scale, between which bounds, on which signals, towards which objective."""

    rules: ClassVar[tuple[Rule, ...]] = (
        names_are_unique,
        something_decides,
        prices_have_requests,
        events_speak_of_signals,
        placement_fits,
        budget_has_a_price,
    )

    target: Target = Field(description="The object to scale, in the policy's namespace.")
    mode: Literal["shadow", "floor", "active", "paused"] = Field(
        "shadow",
        description="`shadow` decides and records, `floor` publishes the recommendation as a metric,"
        " `active` writes the scale, `paused` watches.",
    )
    replicas: Replicas = Field(description="Bounds on replicas; with `placement`, on those of both objects together.")
    placement: Placement | None = Field(
        None, description="A second object on spot nodes; `target` is then the on-demand base. Not with `floor`."
    )
    priority: Integer = Field(
        0, description="Who goes first where a budget does not suffice: higher values, as of a PriorityClass."
    )
    budget: WorkloadBudget | None = Field(None, description="The most money and GPUs that its replicas may take.")
    signals: Annotated[tuple[Signal, ...], Field(min_length=1)] = Field(
        description="What is measured; the largest proposal wins."
    )
    objective: Objective = Field(Objective(), description="How late requests may be.")
    resources: Annotated[Literal["off", "recommend"], off_in_yaml] = Field(
        "off",
        description="`recommend` watches what its containers use and shows what they should request; nothing is"
        " written but the status of a VerticalPodAutoscaler that names Foresail as its recommender.",
    )
    behavior: Behavior | None = Field(None, description="Speed and steadiness, as in autoscaling/v2.")
    forecast: Forecast = Field(Forecast(), description="How demand is forecast.")
    freeze: tuple[Freeze, ...] = Field(
        (), description="Windows in which Foresail does not lower the count, or does not change it."
    )
    incumbent: Incumbent | None = Field(
        None,
        description="The autoscaler in place, an HPA at its defaults if absent; read, and not replayed in shadow yet.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _with_presets(cls, given: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill in what presets say, before anything is checked."""
        return handler(with_presets(given))

    @property
    def scale_up(self) -> ScaleUp:
        """Behaviour upwards, with autoscaling/v2's defaults where the user wrote nothing."""
        return (self.behavior and self.behavior.scale_up) or ScaleUp()

    @property
    def scale_down(self) -> ScaleDown:
        """Behaviour downwards, with autoscaling/v2's defaults where the user wrote nothing."""
        return (self.behavior and self.behavior.scale_down) or ScaleDown()

    @property
    def scale_up_is_written(self) -> bool:
        """Whether the user wrote `behavior.scaleUp`, which then binds every candidate."""
        return self.behavior is not None and self.behavior.scale_up is not None

    @property
    def scale_down_is_written(self) -> bool:
        """Whether the user wrote `behavior.scaleDown`, which then binds every candidate."""
        return self.behavior is not None and self.behavior.scale_down is not None


class WorkloadPolicy(Part):
    """How one workload is scaled."""

    ignored: ClassVar[frozenset[str]] = frozenset({"status"})

    api_version: Literal["foresail.dev/v1alpha1"] = Field(description="Version of this document's format.")
    kind: Literal["WorkloadPolicy"] = Field(description="Kind of this document.")
    metadata: Metadata = Field(description="Name and place of the policy.")
    spec: Spec = Field(description="What to scale and how.")

    @property
    def uid(self) -> str:
        """The policy's identity, ``namespace/name``."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    def queries(self) -> tuple[BoundQuery, ...]:
        """Fill in the variables of each signal's query and match, in the order of `spec.signals`."""
        names = {"namespace": self.metadata.namespace, "name": self.spec.target.name}
        return tuple(
            BoundQuery(
                signal=signal.name,
                query=_filled(signal.query, {key: _escaped(value) for key, value in names.items()}),
                match=tuple(sorted((label, _filled(value, names)) for label, value in signal.match.items())),
                either=not isinstance(signal, LateSignal) and signal.preset is not None,
            )
            for signal in self.spec.signals
        )

    def targets(self) -> dict[str, Target]:
        """The objects that it scales, by their paths in the document: one, or two with `placement`."""
        placement = self.spec.placement
        surge = {} if placement is None else {"spec.placement.spot.target": placement.spot.target}
        return {"spec.target": self.spec.target, **surge}

    def document(self) -> dict[str, object]:
        """Return plain YAML or JSON values that parse to an equal policy; fields at their default are left out."""
        written = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for signal in written["spec"]["signals"]:
            if "preset" in signal:
                del signal["query"]
        return {"apiVersion": API_VERSION, "kind": KIND, **written}


def policy_from(document: object, *, source: str) -> WorkloadPolicy:
    """Parse one document, as YAML or JSON gives it.

    Raises:
        PolicyError: with every problem of the document.
    """
    try:
        return WorkloadPolicy.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        raise PolicyError(problems_of(error, source=source, tags=_SIGNAL_KINDS)) from error


def duplicates(policies: Sequence[WorkloadPolicy], *, sources: Sequence[str]) -> tuple[Problem, ...]:
    """Find policies that share namespace and name, or that scale the same object (whatever its API version).

    `sources` says where each policy stands, in the order of `policies`.
    """
    problems: list[Problem] = []
    first_named: dict[str, str] = {}
    first_scaling: dict[tuple[str, str, str, str], str] = {}
    for policy, source in zip(policies, sources, strict=True):
        if policy.uid in first_named:
            message = f"{policy.uid} is already in {first_named[policy.uid]}; rename or remove one"
            problems.append(Problem(source, "metadata.name", message))
        for path, target in policy.targets().items():
            scaled = (policy.metadata.namespace, target.api_version.rpartition("/")[0], target.kind, target.name)
            if scaled in first_scaling and policy.uid not in first_named:
                message = f"{target.kind} {target.name} is already scaled by {first_scaling[scaled]}; remove one"
                problems.append(Problem(source, path, message))
            first_scaling.setdefault(scaled, f"{policy.uid} in {source}")
        first_named.setdefault(policy.uid, source)
    return tuple(problems)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values[found[1]], text)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')

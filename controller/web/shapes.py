"""The parts of what the API answers; `schemas` has the answers. mypy holds the code to them.

Names are camelCase, as in Kubernetes. What is not known is null.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from controller.web import health
from controller.web.condition import Condition
from policies import model as codes

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Quantities = dict[str, str]


def _words(*names: str) -> WithJsonSchema:
    """One of a few words; the code makes them of its enumerations."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


ActionName = Annotated[str, _words(*(each.name.lower() for each in codes.Action))]
ModeName = Annotated[str, _words(*(each.name.lower() for each in codes.Mode))]
StatusName = Annotated[str, _words(*(each.name.lower() for each in codes.Status))]
StateName = Annotated[str, _words(*get_args(health.StateName))]
ConditionName = Annotated[str, _words(*(each.name.lower() for each in Condition))]
KindName = Annotated[str, _words(*(each.name.lower() for each in codes.Kind))]
FixedByName = Annotated[str, _words("annotation", "override")]
InterventionKind = Annotated[str, _words("pause", "override", "resume")]
CourseName = Annotated[str, _words("asNow", "paused", "override")]
ActorName = Annotated[str, _words("foresail", "other", "nobody")]
ResultName = Annotated[str, _words("applied", "conflict", "rejected", "unavailable")]


class Target(TypedDict):
    """An object with a scale subresource, in the workload's namespace."""

    apiVersion: str
    kind: str
    name: str


class Replicas(TypedDict):
    """Replicas asked for by the scale, reported, ready, the bounds in force, and what was decided."""

    desired: int | None
    current: int | None
    ready: int
    min: int
    max: int
    recommended: int | None


class Trust(TypedDict):
    """The status of the least trusted signal that decides, and the age of the oldest one; null where none was read."""

    status: StatusName
    oldestSeconds: float | None


class Forecast(TypedDict):
    """The demand when replicas started now serve, in replicas; `upper` has the margin of the one in charge."""

    at: Time
    median: float
    upper: float
    replicas: int


class Candidate(TypedDict):
    """A policy of the tournament, and what it cost and missed in shadow; null without evidence."""

    name: str
    family: str
    replicas: float | None
    lateRatio: float | None


class Standing(TypedDict):
    """How the tournament stands."""

    inCharge: Candidate
    runnerUp: Candidate
    incumbent: Candidate
    trimErrors: float
    fromOtherLoadsRatio: float
    realisedLateRatio: float | None
    lateBudgetRatio: float
    evidenceSeconds: float
    evidenceRatio: float


class OnDemand(TypedDict):
    """The base's replicas."""

    desired: int
    ready: int
    recommended: int


class Spot(TypedDict):
    """The surge's replicas; `noticed` are announced to go, `missing` were taken back."""

    desired: int
    ready: int
    noticed: int
    missing: int
    recommended: int


class Zone(TypedDict):
    """A zone of the surge."""

    name: str
    ready: int
    starting: int
    noticed: int


class Placement(TypedDict):
    """How replicas are split over two objects."""

    surge: Target
    surgeHold: str | None
    spotKnown: bool
    onDemand: OnDemand
    spot: Spot
    zones: list[Zone]
    shortRatio: float
    shortBudgetRatio: float


class BudgetBound(TypedDict):
    """The cap that withholds replicas."""

    of: str
    resource: str
    cap: float
    replica: float
    wanted: int
    kept: int


class GpuQuotaBound(TypedDict):
    """The quota that gives fewer replicas more than are asked for."""

    resource: str
    left: float
    asked: int
    given: int


class Intervention(TypedDict):
    """What somebody told Foresail to do; namespace and name are null where it is for all workloads."""

    namespace: str | None
    name: str | None
    kind: InterventionKind
    replicas: int | None
    who: str
    reason: str
    at: Time
    until: Time


class FixedCount(TypedDict):
    """The count that people have fixed, and by what."""

    replicas: int
    by: FixedByName


class Recommendation(TypedDict):
    """The replicas that a workload should have now; null while nothing is recommended, and `hold` says why."""

    namespace: str
    name: str
    replicas: int | None
    hold: str | None


class Workload(TypedDict):
    """A workload at the last tick. `hold` says why Foresail changes nothing, or that people have fixed its count.

    `condition` is how it fares in one word; `saturationRatio` is its load by its ready replicas, null without any.
    """

    namespace: str
    name: str
    target: Target
    mode: ModeName
    condition: ConditionName
    at: Time
    action: ActionName
    reason: str
    hold: str | None
    owner: str | None
    fixed: FixedCount | None
    intervention: Intervention | None
    replicas: Replicas
    data: Trust
    load: float | None
    saturationRatio: float | None
    forecast: Forecast | None
    standing: Standing | None
    evidenceAwaits: list[str]
    placement: Placement | None
    budget: BudgetBound | None
    gpuQuota: GpuQuotaBound | None


class Startup(TypedDict):
    """What starts take, by what drives it; null until seen."""

    freeNodeSeconds: float | None
    newNodeSeconds: float | None
    manyAtOnceSeconds: float | None
    waitingForNode: bool


class Step(TypedDict):
    """What one rule changed."""

    rule: str
    before: int
    after: int


class Binding(TypedDict):
    """Which of a preset's candidates a signal is read from: empty where none is there, null while not known."""

    preset: str
    metrics: list[str] | None
    candidates: list[str]


class Signal(TypedDict):
    """What was read of a signal, in base units, and the replicas that it proposes."""

    name: str
    status: StatusName
    why: str
    kind: KindName
    value: float | None
    ageSeconds: float | None
    proposed: int | None
    binding: Binding | None


class SizingMethod(TypedDict):
    """Which method's figure a size is, why that one speaks, and how much use it has seen and needs."""

    name: str
    reason: str
    knownSeconds: float
    neededSeconds: float


class ContainerSize(TypedDict):
    """What a container requests and should request, as Kubernetes writes quantities."""

    name: str
    requests: Quantities
    lowerBound: Quantities
    target: Quantities
    upperBound: Quantities
    lowConfidence: bool
    why: str
    method: dict[str, SizingMethod]  # by resource


class WorkloadSize(TypedDict):
    """A workload whose containers are sized."""

    namespace: str
    target: Target
    autoscaler: str | None
    policy: str | None
    problem: str | None
    containers: list[ContainerSize]


class ByQuantile(TypedDict):
    """A number as the load goes: at its median, and at its 0.9 quantile."""

    p50: float
    p90: float


class CountByQuantile(TypedDict):
    """Replicas as the load goes."""

    p50: int
    p90: int


class TimeByQuantile(TypedDict):
    """A time as the load goes; null where it does not come."""

    p50: Time | None
    p90: Time | None


class ExpectedLoad(TypedDict):
    """The load at a minute, in replicas at the serving limit, and the whole replicas that the objective needs."""

    at: Time
    load: ByQuantile
    needed: CountByQuantile


class ExpectedReplicas(TypedDict):
    """Replicas at a minute: asked for, and ready."""

    at: Time
    ordered: CountByQuantile
    ready: CountByQuantile


class ProjectedCourse(TypedDict):
    """One course: its replicas, or why nobody can tell them; from when on, and for how long, too few are ready."""

    name: CourseName
    sentence: str
    replicas: list[ExpectedReplicas] | None
    unknown: str | None
    shortFrom: TimeByQuantile
    shortMinutes: CountByQuantile | None


class AboveMaximum(TypedDict):
    """When demand needs more than the maximum or the quota allows; null where it does not within a week."""

    at: Time | None
    maximum: float
    bound: str


class ModelFigures(TypedDict):
    """How a model fared in the backtest."""

    errorRatio: float | None
    coverage95: float | None
    judgedOn: float
    demoted: bool


class HorizonModels(TypedDict):
    """Which model speaks a horizon ahead, and how all fared."""

    ahead: str
    inCharge: str
    models: dict[str, ModelFigures]


class SignalModels(TypedDict):
    """The models of one signal."""

    signal: str
    fittedAt: Time | None
    horizons: list[HorizonModels]


class Needed(TypedDict):
    """Replicas needed at a time, by quantile; null where nobody speaks."""

    at: Time
    p50: float | None
    p90: float | None


class Outlook(TypedDict):
    """The next week: replicas needed ahead, by quantile; `band` has all times that are looked at."""

    at: Time
    replicas: list[dict[str, str | float | None]]
    band: list[Needed]
    aboveMaximum: dict[str, AboveMaximum]
    quota: int | None
    models: list[SignalModels]

"""The shapes of what the API answers: mypy holds the code to them, and the OpenAPI document is made of them.

Names are camelCase, as in Kubernetes. What is not known is null.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from policies import model as codes

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Quantities = dict[str, str]


def _words(*names: str) -> WithJsonSchema:
    """One of a few words; the code makes them of its enumerations."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


ActionName = Annotated[str, _words(*(each.name.lower() for each in codes.Action))]
ModeName = Annotated[str, _words(*(each.name.lower() for each in codes.Mode))]
StatusName = Annotated[str, _words(*(each.name.lower() for each in codes.Status))]
KindName = Annotated[str, _words(*(each.name.lower() for each in codes.Kind))]
FixedByName = Annotated[str, _words("annotation", "override")]
InterventionKind = Annotated[str, _words("pause", "override", "resume")]
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


class Workload(TypedDict):
    """A workload at the last tick. `hold` says why Foresail changes nothing, or that people have fixed its count."""

    namespace: str
    name: str
    target: Target
    mode: ModeName
    at: Time
    action: ActionName
    reason: str
    hold: str | None
    owner: str | None
    fixed: FixedCount | None
    intervention: Intervention | None
    replicas: Replicas
    load: float | None
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


class Signal(TypedDict):
    """What was read of a signal, in base units, and the replicas that it proposes."""

    name: str
    status: StatusName
    why: str
    kind: KindName
    value: float | None
    ageSeconds: float | None
    proposed: int | None


class ContainerSize(TypedDict):
    """What a container requests and should request, as Kubernetes writes quantities."""

    name: str
    requests: Quantities
    lowerBound: Quantities
    target: Quantities
    upperBound: Quantities
    lowConfidence: bool
    why: str


class WorkloadSize(TypedDict):
    """A workload whose containers are sized."""

    namespace: str
    target: Target
    autoscaler: str | None
    policy: str | None
    problem: str | None
    containers: list[ContainerSize]


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


class Outlook(TypedDict):
    """The next week: replicas needed ahead, by quantile."""

    at: Time
    replicas: list[dict[str, str | float | None]]
    aboveMaximum: dict[str, AboveMaximum]
    quota: int | None
    models: list[SignalModels]


class LastChange(TypedDict):
    """How the last write of the scale ended, since the daemon started."""

    at: Time
    before: int
    after: int
    reason: str
    result: ResultName
    message: str


class WorkloadStatus(Workload):
    """One workload: what it sees, predicts, has decided and why, has done, and when it decides next."""

    apiVersion: str
    kind: Literal["WorkloadStatus"]
    startupSeconds: float
    startup: Startup
    kubernetesReplicas: int
    steps: list[Step]
    explanation: list[str]
    sizes: WorkloadSize | None
    outlook: Outlook | None
    signals: list[Signal]
    lastChange: LastChange | None
    nextDecisionAt: Time


ListMetadata = TypedDict("ListMetadata", {"continue": str, "at": Time, "total": int})


class _List(TypedDict):
    apiVersion: str
    metadata: ListMetadata


class WorkloadList(_List):
    """A page of workloads, those in quarantine with why, and what is wrong with policies, queries or the cluster."""

    kind: Literal["WorkloadStatusList"]
    items: list[Workload]
    quarantined: dict[str, str]
    problems: list[str]


class Decision(TypedDict):
    """A decision from the journal: one that changed something."""

    at: Time
    action: ActionName
    mode: ModeName
    before: int
    after: int
    reason: str
    steps: list[Step]


class DecisionList(TypedDict):
    """A workload's decisions, the newest first. `continue` asks for older ones."""

    apiVersion: str
    kind: Literal["DecisionList"]
    metadata: DecisionListMetadata
    items: list[Decision]


DecisionListMetadata = TypedDict("DecisionListMetadata", {"continue": str})


class SizeList(_List):
    """A page of the workloads whose containers are sized."""

    kind: Literal["WorkloadSizeList"]
    items: list[WorkloadSize]


class Budget(TypedDict):
    """A cap of a namespace, or of the fleet where namespace is null, and how much of it is used."""

    namespace: str | None
    resource: str
    cap: float
    usedRatio: float


class BudgetList(_List):
    """A page of the caps of namespaces and of the fleet."""

    kind: Literal["BudgetList"]
    items: list[Budget]


class WorkloadPlacement(TypedDict):
    """A workload with placement."""

    namespace: str
    name: str
    placement: Placement


class PlacementList(_List):
    """A page of the workloads whose replicas are split over two objects."""

    kind: Literal["PlacementList"]
    items: list[WorkloadPlacement]


class WorkloadSignal(Signal):
    """A signal, and whose it is and what it asks; `query` is null while its policy is being changed."""

    namespace: str
    workload: str
    query: str | None


class SignalList(_List):
    """A page of the signals of all workloads, and the metrics that quantities are read from."""

    kind: Literal["SignalList"]
    items: list[WorkloadSignal]
    bound: dict[str, str]


class WorkloadHold(TypedDict):
    """A workload that Foresail does not change, or whose count people have fixed, and why."""

    namespace: str
    name: str
    hold: str
    why: str
    fixed: FixedCount | None
    intervention: Intervention | None


class HoldList(_List):
    """A page of what is held, and what holds all: the kill switch, a pause of all."""

    kind: Literal["HoldList"]
    items: list[WorkloadHold]
    killSwitch: str | None
    fleet: Intervention | None


class InterventionList(TypedDict):
    """The pauses and overrides in force."""

    apiVersion: str
    kind: Literal["InterventionList"]
    items: list[Intervention]


class InterventionResult(TypedDict):
    """What was done, in place of what, and why it has no effect now, where it has none.

    `recorded` is false while the journal cannot be written: a restart before it can would forget this.
    """

    apiVersion: str
    kind: Literal["InterventionResult"]
    intervention: Intervention
    replaced: Intervention | None
    recorded: bool
    obstacles: list[str]


class HealthCheck(TypedDict):
    """One thing that a probe looks at."""

    name: str
    ok: bool
    message: str


class Health(TypedDict):
    """The checks of /livez and /readyz, and how the last tick and its sources fared."""

    apiVersion: str
    kind: Literal["Health"]
    live: list[HealthCheck]
    ready: list[HealthCheck]
    lastTickAt: Time | None
    sources: list[HealthCheck]
    killSwitch: str | None
    problems: list[str]


class Version(TypedDict):
    """The version that runs."""

    version: str


class SessionStatus(TypedDict):
    """A browser's session: who it is, and what its posts must carry."""

    apiVersion: str
    kind: Literal["Session"]
    name: str
    csrfToken: str | None


class TickEvent(TypedDict):
    """What a tick did to all."""

    at: Time
    workloads: int
    changed: int
    actions: dict[str, int]
    problems: int
    seconds: float


class ChangeEvent(TypedDict):
    """A workload's new decision."""

    at: Time
    namespace: str
    name: str
    action: str
    reason: str
    hold: str | None
    before: int
    after: int


class Problem(TypedDict):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str

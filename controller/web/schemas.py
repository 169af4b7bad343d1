"""The shapes of what the API answers: mypy holds the code to them, and the OpenAPI document is made of them.

Names are camelCase, as in Kubernetes. What is not known is null.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from controller.web import ready_shapes, shapes


class LastChange(TypedDict):
    """How the last write of the scale ended, since the daemon started."""

    at: shapes.Time
    before: int
    after: int
    reason: str
    result: shapes.ResultName
    message: str


class WorkloadStatus(shapes.Workload):
    """One workload: what it sees, predicts, has decided and why, has done, and when it decides next."""

    apiVersion: str
    kind: Literal["WorkloadStatus"]
    startupSeconds: float
    startup: shapes.Startup
    kubernetesReplicas: int
    steps: list[shapes.Step]
    explanation: list[str]
    sizes: shapes.WorkloadSize | None
    outlook: shapes.Outlook | None
    signals: list[shapes.Signal]
    lastChange: LastChange | None
    nextDecisionAt: shapes.Time


class WorkloadReadiness(TypedDict):
    """Whether a workload may go from shadow to floor, and to active: criteria, and what is saved.

    `savings` is null until there is an hour of evidence.
    """

    apiVersion: str
    kind: Literal["WorkloadReadiness"]
    namespace: str
    name: str
    at: shapes.Time
    mode: shapes.ModeName
    steps: list[ready_shapes.ReadinessStep]
    savings: ready_shapes.Savings | None


class WorkloadProjection(TypedDict):
    """The next half hour of a workload, minute by minute: as it goes on now, paused from now on, with an override.

    `load` is null, and `unknown` says why, where a forecast would be a guess.
    """

    apiVersion: str
    kind: Literal["WorkloadProjection"]
    namespace: str
    name: str
    at: shapes.Time
    until: shapes.Time
    scaledBy: shapes.ActorName
    load: list[shapes.ExpectedLoad] | None
    unknown: str | None
    courses: list[shapes.ProjectedCourse]
    notes: list[str]


ListMetadata = TypedDict("ListMetadata", {"continue": str, "at": shapes.Time, "total": int})


class _List(TypedDict):
    apiVersion: str
    metadata: ListMetadata


class WorkloadList(_List):
    """A page of workloads, those in quarantine with why, and what is wrong with policies, queries or the cluster."""

    kind: Literal["WorkloadStatusList"]
    items: list[shapes.Workload]
    quarantined: dict[str, str]
    problems: list[str]


class Decision(TypedDict):
    """A decision from the journal: one that changed something."""

    at: shapes.Time
    action: shapes.ActionName
    mode: shapes.ModeName
    before: int
    after: int
    reason: str
    steps: list[shapes.Step]


class Order(TypedDict):
    """A write of a scale from the journal. `result` is null while nobody knows how it ended."""

    at: shapes.Time
    target: shapes.Target
    before: int
    after: int
    reason: str
    result: shapes.ResultName | None
    message: str


class OrderList(TypedDict):
    """A workload's last orders, the newest first."""

    apiVersion: str
    kind: Literal["OrderList"]
    items: list[Order]


class DecisionList(TypedDict):
    """A workload's decisions, the newest first. `continue` asks for older ones."""

    apiVersion: str
    kind: Literal["DecisionList"]
    metadata: DecisionListMetadata
    items: list[Decision]


DecisionListMetadata = TypedDict("DecisionListMetadata", {"continue": str})


class RecommendationList(_List):
    """A page of the recommendations of the last tick, which are no longer the present ones after `until`."""

    kind: Literal["RecommendationList"]
    until: shapes.Time
    items: list[shapes.Recommendation]


class SizeList(_List):
    """A page of the workloads whose containers are sized."""

    kind: Literal["WorkloadSizeList"]
    items: list[shapes.WorkloadSize]


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
    placement: shapes.Placement


class PlacementList(_List):
    """A page of the workloads whose replicas are split over two objects."""

    kind: Literal["PlacementList"]
    items: list[WorkloadPlacement]


class WorkloadSignal(shapes.Signal):
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
    fixed: shapes.FixedCount | None
    intervention: shapes.Intervention | None


class HoldList(_List):
    """A page of what is held, and what holds all: the kill switch, a pause of all."""

    kind: Literal["HoldList"]
    items: list[WorkloadHold]
    killSwitch: str | None
    fleet: shapes.Intervention | None


class InterventionList(TypedDict):
    """The pauses and overrides in force."""

    apiVersion: str
    kind: Literal["InterventionList"]
    items: list[shapes.Intervention]


class InterventionResult(TypedDict):
    """What was done, in place of what, and why it has no effect now, where it has none.

    `recorded` is false while the journal cannot be written: a restart before it can would forget this.
    """

    apiVersion: str
    kind: Literal["InterventionResult"]
    intervention: shapes.Intervention
    replaced: shapes.Intervention | None
    recorded: bool
    obstacles: list[str]


class HealthCheck(TypedDict):
    """One thing that a probe looks at."""

    name: str
    ok: bool
    message: str


class ServiceState(TypedDict):
    """What state Foresail is in, everything that speaks for it, and since when, as far as this process knows."""

    name: shapes.StateName
    reasons: list[str]
    since: shapes.Time


class SourceStatus(HealthCheck):
    """How a source fared in the last tick."""

    queries: int
    failed: int
    seconds: float


class SignalsStatus(TypedDict):
    """How many signals are fresh, stale, missing or censored, and how old the oldest that was read is."""

    byStatus: dict[str, int]
    oldestSeconds: float | None


class Health(TypedDict):
    """The state, the checks of /livez and /readyz, and how the last tick and its sources fared."""

    apiVersion: str
    kind: Literal["Health"]
    state: ServiceState
    live: list[HealthCheck]
    ready: list[HealthCheck]
    lastTickAt: shapes.Time | None
    sources: list[SourceStatus]
    signals: SignalsStatus | None
    killSwitch: str | None
    problems: list[str]
    quarantined: dict[str, str]


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

    at: shapes.Time
    workloads: int
    changed: int
    actions: dict[str, int]
    problems: int
    seconds: float


class ChangeEvent(TypedDict):
    """A workload's new decision."""

    at: shapes.Time
    namespace: str
    name: str
    action: str
    reason: str
    hold: str | None
    before: int
    after: int


class WhatIfHour(TypedDict):
    """The hour in which most load came late, and the share of its load that did."""

    at: shapes.Time
    lateRatio: float


class WhatIfRow(TypedDict):
    """What one way of scaling cost and missed; its terms are null for what really happened.

    `lateRatio` is the share of the known load that came while ready replicas were above the serving limit, `churn` how
    many replicas were started or stopped in a day, `cost` in the policies' currency; null without a price.
    """

    name: Annotated[str, WithJsonSchema({"type": "string", "enum": ["happened", "present", "asked"]})]
    late: float | None
    min: int | None
    max: int | None
    price: float | None
    replicaHours: float
    cost: float | None
    lateRatio: float | None
    worstHour: WhatIfHour | None
    churn: float


WhatIfSpan = TypedDict("WhatIfSpan", {"from": shapes.Time, "to": shapes.Time})


class WhatIfEvidence(TypedDict):
    """What the figures rest on: `judged` after the time that only warms policies up, `read` of the journal.

    `whole` is false where there was no time to read all that was asked for.
    """

    judged: WhatIfSpan
    read: WhatIfSpan
    readEverySeconds: float
    whole: bool
    warmupHours: float
    loadHours: float
    censoredRatio: float
    unknownRatio: float


class WhatIf(TypedDict):
    """The last days of a workload: as they were, under the present policy, and under the one asked for, if any.

    `policy` are the lines of the policy's YAML to change; `notes` say what is not replayed.
    """

    apiVersion: str
    kind: Literal["WhatIf"]
    namespace: str
    name: str
    evidence: WhatIfEvidence
    rows: list[WhatIfRow]
    policy: str
    notes: list[str]


class Problem(TypedDict):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str

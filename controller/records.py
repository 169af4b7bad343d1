"""What travels between the controller's rooms: views of the cluster, answers of a metrics source, intents.

Plain frozen values without behaviour; ports, adapters, the loop and the journal all speak in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.arrays import FloatArray
    from policies.budget import Budget
    from policies.forecast.plans import Plans
    from policies.model import Decision, Fleet, Observation, Why
    from policies.presets.model import Binding
    from policies.pricing.shapes import Weights
    from policies.pricing.table import Commitment, Offer, PriceTable
    from policies.spec import WorkloadPolicy


@dataclass(frozen=True, slots=True, order=True)
class TargetRef:
    """An object with a scale subresource."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """Requests of one container, in thousandths of a core or of a byte; None = not set."""

    name: str
    cpu_milli: int | None
    memory_milli: int | None
    restart_always: bool = False  # an init container that runs beside the others


Charge = tuple[tuple[str, int | None], ...]  # thousandths by resource, as a ResourceQuota names it: requests.cpu, pods


@dataclass(frozen=True, slots=True)
class PodView:
    """What is kept of a pod. Times are wall time; None = not known."""

    name: str
    phase: str
    deleted: bool
    ready: bool | None
    created_at_s: float
    started_at_s: float | None
    transition_at_s: float | None  # last change of readiness
    containers: tuple[ContainerRequest, ...] = ()
    init_containers: tuple[ContainerRequest, ...] = ()
    pod_cpu_milli: int | None = None  # request on the pod itself
    pod_memory_milli: int | None = None
    scheduled_at_s: float | None = None  # when it was bound to a node
    unschedulable: bool = False  # the scheduler found no node with room, so far
    charge: Charge = ()  # what it takes of a quota; what is absent it takes nothing of
    node: str = ""  # where it was bound to; empty before


@dataclass(frozen=True, slots=True)
class Notice:
    """Why a node will go, in words, and whether the provider takes it back, as far as that can be told."""

    words: str
    reclaimed: bool = False


@dataclass(frozen=True, slots=True)
class NodeView:
    """What is kept of a node. `zone` is empty where its labels do not tell."""

    name: str
    spot: bool
    zone: str
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class NodePrice:
    """What an hour of one node costs, and how that is spread over CPU, memory and GPUs; None where it is not told."""

    micros: int  # millionths of the currency
    spot: bool | None = None
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class PricesSeen:
    """What one source of prices tells: of nodes by name, of offers, and what is committed and discounted."""

    source: str
    table: PriceTable
    nodes: Mapping[str, NodePrice] = field(default_factory=dict)
    refused: frozenset[Offer] = frozenset()  # offers of the table that cannot be had now
    commitments: tuple[Commitment, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetView:
    """What is known of a target. `owner` names who else scales it and the way out; `problem` why it cannot be read."""

    ref: TargetRef
    spec_replicas: int
    status_replicas: int
    resource_version: str
    paused: bool = False  # annotation foresail.dev/paused
    fixed: int | str | None = None  # annotation foresail.dev/replicas: the count, or what is wrong with it in words
    owner: str | None = None
    problem: str | None = None
    rolling: bool = False  # a rollout is under way: pods of two templates at once


@dataclass(frozen=True, slots=True)
class Quota:
    """What a ResourceQuota leaves of what pods take, not below 0; None where its use is not counted yet."""

    namespace: str
    name: str
    left: Charge


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as last seen. `seen_at_s` is the wall time up to which the watches are known to be current."""

    targets: Mapping[TargetRef, TargetView]
    pods: Mapping[TargetRef, Sequence[PodView]]
    seen_at_s: float
    killed: str | None = None  # why nothing may be written: where the kill switch was set, or that it cannot be read
    quotas: Mapping[str, Sequence[Quota]] = field(default_factory=dict)  # by namespace; absent where they are not known
    nodes: Mapping[str, NodeView] | None = None  # by name; None where they are not known


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """One distinct query. `labels` are those that tell workloads apart in its answer; `per_pod` adds `pod`.

    `either` says that its selectors are ways to tell the same, of which one suffices: those of a preset.
    """

    text: str
    labels: tuple[str, ...] = ()
    per_pod: bool = False
    either: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. Keys are the values of the query's labels (and the pod, when per pod), in their order.

    `newest_at_s` and `targets` come from the witness: by key, without the pod, the wall time of the newest raw
    sample and how many scrape targets hold one; None when the query's freshness cannot be derived.
    """

    query: SignalQuery
    keys: Sequence[tuple[str, ...]]
    values: Sequence[float]  # as served: may be NaN or infinite
    newest_at_s: Mapping[tuple[str, ...], float] | None
    targets: Mapping[tuple[str, ...], int] | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A query without an answer: why, in a code and in words."""

    query: SignalQuery
    why: Why
    message: str


Answer = Answered | Unanswered


@dataclass(frozen=True, slots=True)
class PastSeries:
    """One series of a range query: wall times and finite values; gaps are simply absent."""

    key: tuple[str, ...]
    at_s: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies in force, sorted by uid, the problems of what was not accepted, a digest of it all, and budgets."""

    policies: tuple[WorkloadPolicy, ...]
    problems: tuple[str, ...] = ()
    digest: str = ""
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleOrder:
    """A change of scale to be carried out, with the resourceVersion that it was decided on."""

    uid: str
    ref: TargetRef
    before: int
    after: int
    resource_version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended: result is applied, conflict, rejected or unavailable."""

    order: ScaleOrder
    at_s: float
    result: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user of the cluster should see on the target; reason in CamelCase, as Kubernetes events have it."""

    ref: TargetRef
    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of one published thing, or would become of it.

    `result` is created, updated, deleted or unchanged; kept where a person's change was left alone; conflict where
    somebody else wrote at the same time; rejected or unavailable where the server refused or failed.
    """

    name: str
    result: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a receiver outside should hear. `type` is one of `MESSAGE_TYPES`; absent values are None."""

    type: str
    at_s: float
    text: str
    namespace: str | None = None
    workload: str | None = None
    reason: str | None = None
    before: int | None = None  # replicas
    after: int | None = None


MESSAGE_TYPES = (
    "decision",
    "scaled",
    "refusal",
    "hold",
    "release",
    "safe_mode",
    "safe_mode_end",
    "budget",
    "budget_end",
    "interruption",
)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source has fared in the last tick."""

    name: str
    ok: bool
    queries: int = 0
    failed: int = 0
    elapsed_s: float = 0.0
    message: str = ""
    warnings: tuple[str, ...] = field(default=())


class Reason(StrEnum):
    """Why one method of sizing speaks and not the other."""

    HISTORY = "history"  # enough was seen for Foresail's own
    YOUNG = "young"  # too little was seen for it
    UNREAD = "unread"  # too little was seen, and the past could not be read yet
    ASKED = "asked"  # the vertical autoscaler's method was asked for


@dataclass(frozen=True, slots=True)
class Spoke:
    """The method that speaks for a resource of a container, why, and how much of the use that Foresail's own needs."""

    method: str
    reason: Reason
    known_s: float
    needed_s: float


@dataclass(frozen=True, slots=True)
class ContainerSize:
    """What a container asks for and should ask for, in thousandths of a core and of a byte by resource."""

    container: str
    requests: Mapping[str, int]
    lower: Mapping[str, int]
    target: Mapping[str, int]
    upper: Mapping[str, int]
    young: bool  # it rests on less than a day of use
    why: str  # a sentence: what the target rests on
    spoke: Mapping[str, Spoke]  # by resource


@dataclass(frozen=True, slots=True)
class SizedWorkload:
    """The containers of a workload that is watched for its size, and who asked for that."""

    target: TargetRef
    autoscaler: str | None  # namespace/name of the VerticalPodAutoscaler that names us
    policy: str | None  # uid
    containers: tuple[ContainerSize, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class GpuUse:
    """GPUs that lanes have, `[lane]`, and how many of them were idle for long, NaN where nobody knows."""

    allocated: FloatArray
    idle: FloatArray
    binding: Mapping[str, str]  # the metrics that each quantity is read from


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has shown who they are; `groups` and `extra` are what Kubernetes says of them."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    by: str = ""  # what vouched for them: token_file, kubernetes


FLEET = ""  # the uid of what is meant for all workloads
LONGEST_INTERVENTION_S = 7 * 86_400.0  # the setting action_longest allows no more


@dataclass(frozen=True, slots=True)
class Intervention:
    """What somebody told Foresail to do with a workload, or with all (`FLEET`), and until when.

    A later one for the same uid takes the place of an earlier one; `resume` ends it. Only an override has `replicas`.
    """

    id: str
    at_s: float
    uid: str
    kind: Literal["pause", "override", "resume"]
    who: str
    reason: str
    until_s: float
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class TickReport:
    """All that one tick saw, decided and did: what telemetry, the API and the console show.

    `seen` and `decision` are of `fleet`; `targets` are its lanes' objects. `quarantined` says why by uid.
    """

    at_s: float
    policies: PolicySet
    fleet: Fleet
    seen: Observation
    decision: Decision
    targets: tuple[TargetRef, ...]
    owners: Mapping[str, str]  # by uid: who else scales it, or why its target cannot be read
    outcomes: tuple[Outcome, ...]
    sources: tuple[SourceHealth, ...]
    phases_s: Mapping[str, float]
    quarantined: Mapping[str, str]
    problems: tuple[str, ...]
    killed: str | None = None
    plans: Plans | None = None  # of the fleet's lanes
    gpus: GpuUse | None = None
    bindings: Mapping[str, Binding] = field(default_factory=dict)  # by `namespace/workload/signal`: of presets
    surges: Mapping[str, TargetRef] = field(default_factory=dict)  # by uid: the second object of those that have one
    interventions: Mapping[str, Intervention] = field(default_factory=dict)  # in force, by uid
    sizes: Mapping[str, SizedWorkload] = field(default_factory=dict)  # by uid: of those with spec.resources: recommend

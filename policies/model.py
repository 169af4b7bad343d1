"""The types that pass through the decision core: frozen dataclasses of NumPy arrays.

Arrays are indexed by *lane* (a workload, or a workload under one scenario), by *track* (a lane's
signal) or by the row of a flat table with a sorted `lane` or `track` column; a docstring says which.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from policies.aims import Aims
from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray, booleans, floats, integers, small
from policies.budget_terms import BudgetTerms
from policies.codes import Code
from policies.events import EventTable
from policies.places import Places, SpotTerms
from policies.schedules import FreezeTable

if TYPE_CHECKING:
    from policies.announced import Announced
    from policies.behaviors import Behavior
    from policies.budgeted import Budgeted
    from policies.candidates import Conditions
    from policies.contradiction import Contradicted
    from policies.fixed import Fixed
    from policies.gpu_quota import GpuShares
    from policies.gpu_room import GpuRoom
    from policies.history import Backfill
    from policies.lead_time import Learned
    from policies.proposal import Step
    from policies.schedules import ScheduleTable
    from policies.split import Split
    from policies.standing import Standing
    from policies.startup import StartTimes

UNKNOWN = -1  # a count, request, age or row that nobody knows

RULES = (
    "steady",  # no rule asked for a change
    "signals",  # the Kubernetes rule on the signals: their largest proposal
    "above_target",  # nothing is lowered while a signal is above its target
    "missing_data",  # data that is not fresh may raise and never lower
    "stabilization",  # a stabilisation window
    "rate_limit",  # rate policies of the behavior
    "bounds",  # smallest and largest count, schedules included
    "forecast",  # demand one start-up ahead
    "tournament",  # the candidate in charge decides alone
    "pressure",  # signals of pressure above it
    "no_room",  # while pods wait for a node, pressure asks for no more
    "rollout",  # nothing is lowered while a rollout is under way
    "consolidation",  # a count that was too few just now is not gone back to
    "announced_event",  # what declared events that are near need
    *("annotated_replicas", "override"),  # the count that people have fixed
    "budget",  # what budgets of money and GPUs leave
    "gpu_quota",  # what quotas of namespaces leave of GPUs
    "step_up_budget",  # how many replicas of a namespace or of the fleet may come in a time
    "step_down_budget",  # how many replicas of a namespace or of the fleet may go in a time
    "fleet_breaker",  # how much of the fleet may go in ten minutes
    *("paused", "paused_by_annotation", "kill_switch", "owned", "no_target", "cluster_down", "forbidden"),
    *("paused_by_operator", "freeze"),  # the last of the holds
)  # names that steps and reasons use, in the order in which the rules speak


class Mode(Code):
    """What Foresail may write for a lane; see docs/architecture.md."""

    SHADOW = 0
    FLOOR = 1
    ACTIVE = 2
    PAUSED = 3


class Kind(Code):
    """`DEMAND` is the same whatever is decided; `PRESSURE` depends on the replicas there are; `LATE` only measures."""

    DEMAND = 0
    PRESSURE = 1
    LATE = 2


class Source(Code):
    """Where a track's value comes from, in the terms of autoscaling/v2."""

    RESOURCE = 0
    CONTAINER_RESOURCE = 1
    PODS = 2
    OBJECT = 3
    EXTERNAL = 4
    UNKNOWN = 5


class TargetKind(Code):
    """How a track's target is meant: percent of the request, value per pod, or value in total."""

    NONE = 0
    UTILIZATION = 1
    AVERAGE_VALUE = 2
    VALUE = 3


class Status(Code):
    """How far a reading can be trusted. Only `FRESH` may lower; `CENSORED` is a lower bound."""

    FRESH = 0
    STALE = 1
    MISSING = 2
    CENSORED = 3


class Why(Code):
    """Why a reading has its status."""

    OK = 0
    NO_SERIES = 1
    SOURCE_DOWN = 2
    BAD_QUERY = 3
    DEADLINE = 4
    TOO_OLD = 5
    FROM_THE_FUTURE = 6
    PARTIAL_SERIES = 7
    NOT_FINITE = 8
    AMBIGUOUS = 9
    UNKNOWN_FRESHNESS = 10
    SATURATED = 11
    NOT_ASKED = 12
    MASS_DROP = 13


class Phase(Code):
    """Phase of a pod."""

    PENDING = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3


class Hold(Code):
    """Why Foresail must not change a lane, whatever the load."""

    NONE = 0
    PAUSED = 1  # mode: paused
    ANNOTATION = 2  # foresail.dev/paused on the target
    KILL_SWITCH = 3
    OWNED = 4  # another controller or field manager scales the target
    NO_TARGET = 5  # the target does not exist, or its scale cannot be read
    CLUSTER_DOWN = 6  # what is known of the target is too old
    FORBIDDEN = 7  # the API server refuses what Foresail wants to do
    OPERATOR = 8  # somebody paused the workload or the fleet, through the API
    FREEZE = 9  # a freeze window in which nothing is changed


class Action(Code):
    """What a decision does to a lane."""

    KEEP = 0
    RAISE = 1
    LOWER = 2
    HOLD = 3


@dataclass(frozen=True, slots=True)
class Tracks:
    """The signals of all lanes, a flat table sorted by lane."""

    uid: tuple[str, ...]  # "namespace/name/signal#digest of its query", see `signal_name`
    lane: IntArray
    kind: SmallArray
    source: SmallArray
    target_kind: SmallArray
    target_milli: IntArray  # percent for UTILIZATION
    capacity_milli: IntArray  # what one replica serves at 100 %; UNKNOWN when not declared
    cpu: BoolArray  # the CPU readiness rules apply


def signal_name(track_uid: str) -> str:
    """The signal's own name in a track's uid."""
    return track_uid.rpartition("/")[2].partition("#")[0]


@dataclass(frozen=True, slots=True)
class Limits:
    """Constants of the whole fleet. Defaults are those of the Kubernetes controller and DESIGN.md."""

    removal_ratio: float = 0.10  # share of the fleet's replicas that may go ...
    removal_window_s: float = 600.0  # ... in this time
    cpu_initialization_period_s: float = 300.0
    initial_readiness_delay_s: float = 30.0
    downscale_stabilization_s: float = 300.0  # for lanes without behavior
    tick_s: float = 15.0
    scale_to_zero: bool = False
    mass_drop: bool = False  # many lanes that fall to nothing at once are not believed; lanes must be workloads
    cautious: bool = True  # what Foresail adds to Kubernetes' rule before it lowers; see candidates.kubernetes_rule


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the policies say, `[lane]`, sorted by uid. Built by `policies.fleet.fleet_of`."""

    uid: tuple[str, ...]  # "namespace/name"
    mode: SmallArray
    min_replicas: IntArray
    max_replicas: IntArray
    late_ratio: FloatArray  # most that may be late for want of replicas, within the SLO's part
    serving_limit_ratio: FloatArray
    forecast: BoolArray
    history_s: FloatArray
    behavior: Behavior
    schedules: ScheduleTable
    tracks: Tracks
    limits: Limits = Limits()
    aims: Aims = field(default_factory=Aims.none)  # of all lanes, always
    events: EventTable = field(default_factory=EventTable.none)
    spot: SpotTerms = field(default_factory=SpotTerms.none)  # of all lanes, always
    budget: BudgetTerms = field(default_factory=BudgetTerms.none)  # of all lanes, always
    freezes: FreezeTable = field(default_factory=FreezeTable.none)

    def __post_init__(self) -> None:  # fills in what was left out
        object.__setattr__(self, "aims", self.aims.for_lanes(self.serving_limit_ratio))
        object.__setattr__(self, "spot", self.spot.for_lanes(self.lanes))
        object.__setattr__(self, "budget", self.budget.for_lanes(self.lanes))

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self.uid)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read for each track, `[track]`. A value that is not there is 0 with status MISSING."""

    value_milli: IntArray
    age_s: FloatArray
    status: SmallArray
    why: SmallArray
    targets: IntArray  # scrape targets to be expected behind the value; UNKNOWN where not known

    @classmethod
    def missing(cls, count: int, why: Why) -> Readings:
        """Nothing could be read for `count` tracks, and why."""
        unknown = integers(count, UNKNOWN)
        return cls(integers(count), floats(count), small(count, Status.MISSING), small(count, why), unknown)


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of all lanes, a flat table sorted by lane. Ages are UNKNOWN (-1) when not known."""

    lane: IntArray
    phase: SmallArray
    deleted: BoolArray
    ready: SmallArray  # 1, 0, or UNKNOWN when there is no readiness condition
    started_age_s: FloatArray
    transition_age_s: FloatArray

    @classmethod
    def none(cls) -> Pods:
        """No pods at all."""
        return cls(integers(0), small(0), booleans(0), small(0), floats(0), floats(0))


@dataclass(frozen=True, slots=True)
class PodSamples:
    """Values by pod for tracks that are read so, a flat table sorted by track."""

    track: IntArray
    pod: IntArray  # row of Pods; UNKNOWN for a sample whose pod is not in the list
    present: BoolArray  # False: the pod is there and its sample is not
    value_milli: IntArray
    age_s: FloatArray
    window_s: FloatArray
    request_milli: IntArray  # UNKNOWN = not set

    @classmethod
    def none(cls) -> PodSamples:
        """No samples at all."""
        return cls(integers(0), integers(0), booleans(0), integers(0), floats(0), floats(0), integers(0))


@dataclass(frozen=True, slots=True)
class Starts:
    """Start-ups seen since the last tick, and those under way, a flat table sorted by lane.

    What drove them may be left out, as by an older Foresail: each is then one alone that waited for nobody knows what.
    """

    lane: IntArray
    duration_s: FloatArray  # created to Ready; so far, when not finished
    finished: BoolArray
    waited: SmallArray = field(default_factory=partial(small, 0))  # 1: for a node, 0: not, UNKNOWN
    together: IntArray = field(default_factory=partial(integers, 0))  # pods created at once, this one included

    def __post_init__(self) -> None:
        """Fill in what was left out."""
        if self.waited.size != self.lane.size:
            object.__setattr__(self, "waited", small(self.lane.size, UNKNOWN))
        if self.together.size != self.lane.size:
            object.__setattr__(self, "together", integers(self.lane.size, 1))

    @classmethod
    def none(cls) -> Starts:
        """No start-up finished, none under way."""
        return cls(integers(0), floats(0), booleans(0))


@dataclass(frozen=True, slots=True)
class Applied:
    """Changes of scale that were carried out since the last tick, sorted by lane."""

    lane: IntArray
    at_s: FloatArray
    before: IntArray
    after: IntArray

    @classmethod
    def none(cls) -> Applied:
        """Nothing was carried out."""
        return cls(integers(0), floats(0), integers(0), integers(0))


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one decision may know. `now_s` is wall time; arrays are `[lane]` unless a table."""

    now_s: float
    spec_replicas: IntArray  # of a placed lane, those of both its objects
    status_replicas: IntArray
    pods_per_replica: IntArray
    hold: SmallArray
    readings: Readings
    pods: Pods
    samples: PodSamples
    starts: Starts
    applied: Applied
    learned: Learned | None = None  # what was learned of the past since the last tick
    backfill: Backfill | None = None  # history read from the source since the last tick
    places: Places | None = None  # where replicas stand; None where no lane is placed
    gpus_milli: IntArray | None = None  # of one replica, by its pods, or UNKNOWN; None where no budget counts
    gpu_room: GpuRoom | None = None  # what quotas leave of GPUs; None where none counts them
    fixed: Fixed | None = None  # counts that people have fixed; None where there is none
    rolling: BoolArray | None = None  # where a rollout is under way; None where none is


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand one start-up ahead in replicas needed, `[lane]`. `known` is False where there is none."""

    known: BoolArray
    lead_s: FloatArray
    median: FloatArray  # replicas, fractional
    upper: FloatArray  # with the margin of the candidate in charge, if it has one, fractional
    replicas: IntArray  # what the candidate in charge orders; 0 where not known

    @classmethod
    def none(cls, lead_s: FloatArray) -> Forecast:
        """Nothing is forecast."""
        lanes = lead_s.size
        return cls(booleans(lanes), lead_s, floats(lanes), floats(lanes), integers(lanes))


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """Replicas decided, `[lane]`. `reason` indexes `RULES`: the rule that had the last word."""

    action: SmallArray
    target: IntArray
    reason: SmallArray


@dataclass(frozen=True, slots=True)
class Decision:
    """What one tick decided and all that explains it."""

    at_s: float
    replicas: ReplicaPlan
    current: IntArray  # replicas that it began from, in total [lane]
    split: Split  # of lanes with placement
    steps: tuple[Step, ...]
    readings: Readings  # as the decision took them, censored ones marked [track]
    forecast: Forecast
    standing: Standing
    announced: Announced  # declared events that are near
    budget: Budgeted  # what budgets left
    gpu_shares: GpuShares  # what GPU quotas left
    min_replicas: IntArray  # bounds in force, schedules included [lane]
    max_replicas: IntArray
    kubernetes: IntArray  # what the Kubernetes rule alone would do [lane]
    proposed: IntArray  # by each track's value [track]; UNKNOWN where it has none
    demand: FloatArray  # largest demand of a lane, in replicas at the serving limit [lane]; NaN-free, 0 if unknown
    demand_known: BoolArray  # [lane]
    startup_s: FloatArray  # start-up time to plan with [lane]
    starts: StartTimes  # and what it was chosen from
    hold: SmallArray  # why a lane must not be changed, the policy's own pause included [lane]
    removal_budget: int  # replicas that the fleet breaker would still let go
    conditions: Conditions
    contradicted: Contradicted  # declared capacities that are not what was seen
    fixed: Fixed | None = None  # counts that people have fixed

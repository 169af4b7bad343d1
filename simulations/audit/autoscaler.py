"""An autoscaler as the audit understands it: what it scales, between which bounds, and on which metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from policies.quantities import duration_text

if TYPE_CHECKING:
    from policies.behavior import Behavior

PERCENT = 100.0
ASSUMED_TARGET_RATIO = 0.7  # of a replica's capacity, where a target is an amount a replica
SERVING_LIMIT_RATIO = 0.8  # as in a policy that says nothing
_TWO_DIGITS = 10


@dataclass(frozen=True, slots=True)
class ResourceMetric:
    """Use of a resource by the pods, with a target in shares of the request or in the resource's unit a pod."""

    resource: str
    container: str | None = None
    target_ratio: float | None = None
    average_value: float | None = None

    def __str__(self) -> str:
        return f"{self.resource} {_aim(self.target_ratio, self.average_value)}"


@dataclass(frozen=True, slots=True)
class NamedMetric:
    """A metric known by its name in a metrics API; `labels` are those that select its series."""

    source: str  # Pods, Object or External
    name: str
    average_value: float
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.average_value:g} a pod"


@dataclass(frozen=True, slots=True)
class QueryMetric:
    """A metric that brings its own PromQL, with a target a replica; `server` is where it is asked today."""

    query: str
    threshold: float
    server: str | None = None

    def __str__(self) -> str:
        return f"query {self.threshold:g} a pod"


@dataclass(frozen=True, slots=True)
class OtherMetric:
    """A metric that cannot be replayed, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return self.name


Metric = ResourceMetric | NamedMetric | QueryMetric | OtherMetric


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler or a ScaledObject, and what it scales in its own namespace."""

    kind: str
    namespace: str
    name: str
    target_api_version: str
    target_kind: str
    target_name: str
    min_replicas: int
    max_replicas: int
    metrics: tuple[Metric, ...] = ()
    behavior: Behavior | None = None  # as written; None = the defaults
    findings: tuple[Finding, ...] = ()

    @property
    def uid(self) -> str:
        """Namespace and name of what is scaled."""
        return f"{self.namespace}/{self.target_name}"

    def __str__(self) -> str:
        kind = "HPA" if self.kind == "HorizontalPodAutoscaler" else self.kind
        aims = ", ".join(map(str, self.metrics)) or "no metric"
        return f"{kind} {self.name}: {aims}, {self.min_replicas} to {self.max_replicas} replicas"


class About(StrEnum):
    """What a finding is about."""

    ACCESS = "access"
    BEHAVIOR = "behavior"
    BUDGET = "budget"
    CAPACITY = "capacity"
    CENSORED = "censored load"
    HISTORY = "history"
    LOAD = "load"
    METRIC = "metric"
    PRICE = "price"
    REPLICAS = "replicas"
    STARTUP = "start-up"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the figures rest on or cannot know, in a sentence."""

    about: About
    message: str


def startup_finding(startup_s: float) -> Finding:
    """That a start-up time was assumed."""
    shown = duration_text(startup_s)
    return Finding(
        About.STARTUP,
        f"no start-up times were found; {shown} is assumed from a decision until a replica serves"
        " (give yours with --startup)",
    )


def limit_over(target_ratio: float) -> float:
    """The serving limit to assume where an autoscaler aims at a share of the capacity: 8/7 of it, and at least 0.8."""
    usual = SERVING_LIMIT_RATIO / ASSUMED_TARGET_RATIO
    return round(min(1.0, max(SERVING_LIMIT_RATIO, target_ratio * usual)), 4)


def per_cent(ratio: float) -> str:
    """A share in words: 0.58 %, 8.3 %, 99.9 %."""
    shown = ratio * PERCENT
    return f"{shown:.3g} %" if shown >= _TWO_DIGITS else f"{shown:.2g} %"


def _aim(ratio: float | None, average: float | None) -> str:
    if ratio is not None:
        return f"{ratio * PERCENT:g} %"
    return "without target" if average is None else f"{average:g} a pod"

"""An autoscaler on its way to a policy: what it scales, what it measures, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.migration.notes import Note
    from simulations.audit.autoscaler import Autoscaler, Metric

Place = tuple[str, str, str]  # namespace, kind and name of what is scaled


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of an autoscaler, where it stands, and its name there. `total`: the target is one of the sum."""

    path: str
    metric: Metric
    total: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An HPA or a ScaledObject, decoded. `schedules` are entries of spec.replicas.schedules."""

    scaled: Autoscaler
    measures: tuple[Measure, ...]
    notes: tuple[Note, ...] = ()
    schedules: tuple[dict[str, object], ...] = ()

    @property
    def place(self) -> Place:
        """What it scales."""
        return (self.scaled.namespace, self.scaled.target_kind, self.scaled.target_name)


@dataclass(frozen=True, slots=True)
class Sizing:
    """A VerticalPodAutoscaler, decoded."""

    namespace: str
    name: str
    target_api_version: str
    target_kind: str
    target_name: str
    notes: tuple[Note, ...] = ()

    @property
    def place(self) -> Place:
        """What it sizes."""
        return (self.namespace, self.target_kind, self.target_name)


@dataclass(frozen=True, slots=True)
class Left:
    """An object of which no policy was made, and why."""

    source: str
    why: str

    def __str__(self) -> str:
        return f"{self.source}: {self.why}"

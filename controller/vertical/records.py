"""What travels between the vertical loop and its adapters: autoscalers, pods and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from controller.records import TargetRef

RECOMMENDER = "foresail"  # in spec.recommenders of a VerticalPodAutoscaler
EVERY_CONTAINER = "*"
CPU, MEMORY = "cpu", "memory"
OWN, VPA = "foresail", "vpa"  # methods
METHODS = (OWN, VPA)
RESOURCES = (CPU, MEMORY)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ContainerRule:
    """What a resource policy says of a container: amounts by resource in thousandths of a core or of a byte."""

    container: str = EVERY_CONTAINER
    off: bool = False
    controlled: frozenset[str] = frozenset(RESOURCES)
    least: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A VerticalPodAutoscaler that names us. `trouble` says what in it cannot be followed; None when all can."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    target: TargetRef | None
    rules: tuple[ContainerRule, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)  # as it stands
    trouble: str | None = None
    method: str = OWN
    in_place: bool = False  # whether the updater may resize running pods

    def rule_of(self, container: str) -> ContainerRule:
        """The rule of a container: its own, else that of all, else one that bounds nothing."""
        found = {rule.container: rule for rule in self.rules}
        return found.get(container) or found.get(EVERY_CONTAINER) or ContainerRule()


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    """A container of a pod: what it asks for, in thousandths, and when it was last killed for want of memory."""

    name: str
    cpu_milli: int | None
    memory_milli: int | None
    oom_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod with the containers whose size is looked at; init containers are not."""

    name: str
    containers: tuple[ContainerSeen, ...]


@dataclass(frozen=True, slots=True)
class Watched:
    """A set of pods whose containers are sized as one, with who asked for it: an autoscaler, or policies alone.

    `problem` says why its pods are not known; they are then no evidence that there are none. It is `lasting` where
    the target is what cannot be used, and not a server that does not answer.
    """

    key: str  # namespace/name of the autoscaler, or namespace/name of the policy
    namespace: str
    autoscaler: Autoscaler | None
    policy: str | None  # uid
    target: TargetRef | None
    pods: Sequence[PodSeen] = ()
    problem: str | None = None
    lasting: bool = False

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers, in the order of the pods' specs."""
        return tuple(dict.fromkeys(container.name for pod in self.pods for container in pod.containers))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the stock recommender keeps of one container of an autoscaler, as the API server has it."""

    namespace: str
    autoscaler: str
    container: str
    status: Document
    owner_uid: str = ""

    @property
    def name(self) -> str:
        """As the stock recommender names it."""
        return f"{self.autoscaler}-{self.container}"


class VerticalCluster(Protocol):
    """Where autoscalers and pods are seen, and statuses and checkpoints written."""

    async def watched(self, policies: Mapping[str, TargetRef], namespaces: Collection[str]) -> Sequence[Watched]:
        """Every autoscaler that names us, and the targets of policies, by uid, that no such one has. Never raises."""

    async def write(self, autoscaler: Autoscaler, status: Document) -> None:
        """Write the status subresource with its resourceVersion. Raises Unavailable, Conflict and Rejected."""

    async def read(self, autoscaler: Autoscaler) -> Autoscaler | None:
        """The autoscaler as it is now; None when it is gone or names us no more. Raises Unavailable and Rejected."""

    async def checkpoints(self, namespace: str) -> Sequence[Checkpoint]:
        """The checkpoints of a namespace. Raises Unavailable and Rejected."""

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, new or not. Raises Unavailable, Conflict and Rejected."""

    def problems(self) -> tuple[str, ...]:
        """What may not be read, in words."""

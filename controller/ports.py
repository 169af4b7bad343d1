"""Small protocols, named by role, through which the loop meets the outside. Adapters implement them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from controller.records import (
        Answer,
        ClusterView,
        Event,
        Message,
        PastSeries,
        Person,
        PolicySet,
        PricesSeen,
        Publication,
        ScaleOrder,
        SignalQuery,
        TargetRef,
    )


class Clock(Protocol):
    """Wall time, monotonic time, and waiting; virtual in simulations and tests."""

    def now_s(self) -> float:
        """Wall time in seconds since 1970."""

    def elapsed_s(self) -> float:
        """Monotonic seconds since an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class MetricsSource(Protocol):
    """Where load and pressure are read."""

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        """Answer every query, in order, within `deadline_s` seconds; what fails is `Unanswered`. Never raises."""

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        """What the query would have answered between two wall times. Raises Unavailable or Rejected."""


class Cluster(Protocol):
    """The scaled objects and their pods, watched."""

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        """Watch exactly these targets from now on, and the nodes where that is asked for."""

    def view(self) -> ClusterView:
        """The cluster as last seen; never waits."""


class Actuator(Protocol):
    """Who writes the scale."""

    async def scale(self, order: ScaleOrder) -> None:
        """Write the scale subresource. Raises Unavailable, Conflict or Rejected."""


class Events(Protocol):
    """Who tells the cluster's users."""

    async def emit(self, event: Event) -> None:
        """Post an event, or drop it when there are too many. Raises Unavailable or Rejected."""


class PolicySource(Protocol):
    """Where the policies come from."""

    async def read(self) -> PolicySet:
        """The policies in force: the last good version of each, with the problems of what was refused."""


class Publisher(Protocol):
    """A place where dashboards or rules are published."""

    @property
    def name(self) -> str:
        """What metrics and messages call it."""

    async def publish(self, *, write: bool = True, force: bool = False) -> Sequence[Publication]:
        """Bring the place to what is rendered, or (`write` off) only tell what would be done.

        What a person changed is kept unless `force`. Raises Unavailable or Rejected where nothing could be begun.
        """


class Receiver(Protocol):
    """Who is told of decisions and holds."""

    async def tell(self, messages: Sequence[Message], *, delivery: str) -> None:
        """Hand messages over; `delivery` is the same for every try. Raises Unavailable or Rejected."""


class Access(Protocol):
    """Who a caller is, and what they may do."""

    async def person(self, token: str) -> Person | None:
        """Whose token this is; None for nobody's. Raises Unavailable when that cannot be found out."""

    async def may_act(self, person: Person, target: TargetRef | None) -> str | None:
        """None where they may say what is done with a target, or with all (None); else why not, in words.

        Raises Unavailable when that cannot be found out.
        """


class PriceFeed(Protocol):
    """Where prices are read."""

    async def prices(self, *, at_s: float) -> PricesSeen:
        """What the source tells at a wall time; nothing where it has no prices. Raises Unavailable or Rejected."""

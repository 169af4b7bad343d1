"""`foresail explain`: why a workload has the replicas it has, from the daemon now, or from the journal at any time."""

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from controller.cli.flags import journal_url
from controller.cli.output import Output, OutputOption, emit, note
from controller.cli.status import DEFAULT_URL, UrlOption, daemon
from controller.cli.times import moment_s, moment_text
from controller.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from controller.cli.past import Moment

ORDERS = 5  # that are told of


def explain(
    workload: Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="The policy to explain.")],
    namespace: Annotated[str, typer.Option("-n", "--namespace", help="Namespace, where NAME has none.")] = "default",
    at: Annotated[
        str | None, typer.Option(help="A moment instead of now: RFC 3339, or so long ago, such as -2h.", metavar="TIME")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    journal: Annotated[
        str | None,
        typer.Option(
            help="The daemon's journal, for past moments and while the daemon is down; as the daemon's unless set.",
            metavar="FILE|URL",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell why a workload has the replicas it has, now or at a time, what was ordered, and what comes next.

    Past moments are decided again from what the journal recorded, so they can be told as fully as the present one.
    """
    uid = workload if "/" in workload else f"{namespace}/{workload}"
    found = _now(uid, url, journal) if at is None else _then(uid, moment_s(at, "--at"), journal)
    emit("WorkloadStatus", found.document(), output, found.story)


@dataclass(frozen=True, slots=True)
class _Told:
    """A moment of a workload: what the API tells of it, the orders until then and after it, and the next half hour."""

    found: dict[str, Any]
    orders: list[dict[str, Any]]  # the newest first
    followed: list[dict[str, Any]] | None = None  # the oldest first; None for the present
    ahead: dict[str, Any] | None = None  # None where it is not known

    def document(self) -> dict[str, Any]:
        """For machines."""
        more = {"orders": self.orders, "followed": self.followed or [], "projection": self.ahead}
        return {**self.found, **more}

    def story(self) -> str:
        """For people."""
        found = self.found
        head = f"{found['namespace']}/{found['name']} at {found['at']}, mode {found['mode']}"
        told = (*found["explanation"], *self._did(), *self._next())
        return "\n".join([head, *(f"  {sentence}" for sentence in told)])

    def _did(self) -> "Iterator[str]":
        for order in self.orders[:1]:
            yield f"Last order: {_order(order)}"
        if not self.orders:
            yield "No order of it is recorded until then."

    def _next(self) -> "Iterator[str]":
        yield f"Next decision: {self.found['nextDecisionAt']}."
        if self.ahead is not None:
            yield from (course["sentence"] for course in self.ahead["courses"])
        if self.followed is not None:
            yield from (f"Then: {_order(order)}" for order in self.followed)


def _order(order: dict[str, Any]) -> str:
    """An order and how it ended."""
    ended = order["result"] or "nobody knows how it ended"
    words = f": {order['message']}" if order["message"] else ""
    return f"{order['at']} from {order['before']} to {order['after']} because of {order['reason']}: {ended}{words}."


def _now(uid: str, url: str, journal: str | None) -> _Told:
    """From the daemon; the last recorded tick when it is down and a journal is named."""
    api, place = daemon(url), uid.split("/", 1)
    try:
        found = api.workload(*place)
    except Unavailable as error:
        if journal is None:
            raise Unavailable(f"{error}. With --journal FILE the last recorded tick is explained") from error
        note(f"{error}; this is the last tick that the journal holds")
        return _told(_moment(uid, time.time(), journal))
    orders = _asked("its orders are", lambda: api.orders(*place, limit=ORDERS)) or {"items": []}
    return _Told(found, orders["items"], ahead=_asked("the next half hour is", lambda: api.projection(*place)))


def _asked(what: str, ask: "Callable[[], dict[str, Any]]") -> dict[str, Any] | None:
    """What the daemon says; nothing from one that does not answer that."""
    try:
        return ask()
    except (Rejected, Unavailable) as error:
        note(f"{what} not told: {error}")
        return None


def _then(uid: str, at_s: float, journal: str | None) -> _Told:
    moment = _moment(uid, at_s, journal)
    if moment.at_s < at_s - moment.reach_s:
        raise Unavailable(f"nothing is recorded for {moment_text(at_s)}: {moment.neighbours}")
    return _told(moment)


def _told(moment: "Moment") -> _Told:
    from controller.web.documents import order_list

    did, followed = (cast("list[dict[str, Any]]", order_list(rows)["items"]) for rows in (moment.did, moment.followed))
    return _Told(moment.document(), did, followed)


def _moment(uid: str, at_s: float, journal: str | None) -> "Moment":
    from controller.cli.past import moment_of

    return asyncio.run(moment_of(journal_url(journal), uid, at_s))

"""Events on the scaled objects: few enough for the API server, counted where they repeat."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from controller.adapters.kubernetes.discovery import EVENTS
from controller.clients.kubernetes import MERGE_PATCH, ApiFailure, Request, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.clients.kubernetes import JsonObject, KubernetesSession
    from controller.ports import Clock
    from controller.records import Event, TargetRef

K = TypeVar("K")
V = TypeVar("V")

COMPONENT = "foresail"

_REPEAT_S = 600.0  # an equal event within this time counts the first one up
_REMEMBERED = 10_000
_LONGEST_MESSAGE = 1024  # of a note; longer ones are refused
_LONGEST_STEM = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket's size and how fast it fills."""

    burst: float
    per_s: float


PER_TARGET = Rate(burst=10, per_s=1 / 60)
OVERALL = Rate(burst=100, per_s=10)


@dataclass(slots=True)
class _Bucket:
    rate: Rate
    tokens: float
    at_s: float

    def fill(self, now_s: float) -> float:
        """Tokens there are now."""
        self.tokens = min(self.rate.burst, self.tokens + (now_s - self.at_s) * self.rate.per_s)
        self.at_s = now_s
        return self.tokens


@dataclass(frozen=True, slots=True)
class _Posted:
    """An event as it stands on the server; `held` more of the same were not sent."""

    name: str
    message: str
    count: int
    at_s: float
    held: int = 0


class KubernetesEvents:
    """Posts core/v1 Events; `uid_of` gives the uid by which `kubectl describe` finds them.

    An event that repeats the target's last one of its reason, message and all, within ten minutes counts it up.
    Each target and the whole fleet have a token bucket; what finds one empty is dropped, and counted on the
    next that is sent.
    """

    def __init__(self, session: KubernetesSession, clock: Clock, uid_of: Callable[[TargetRef], str | None]) -> None:
        """Post through this session."""
        self._session = session
        self._clock = clock
        self._uid_of = uid_of
        self._overall = _Bucket(OVERALL, OVERALL.burst, clock.elapsed_s())
        self._buckets: OrderedDict[TargetRef, _Bucket] = OrderedDict()
        self._posted: OrderedDict[tuple[TargetRef, str], _Posted] = OrderedDict()
        self.dropped = 0

    async def emit(self, event: Event) -> None:
        """Post an event, count an equal one up, or drop it when there are too many.

        Raises:
            Rejected: the server refuses it.
            Unavailable: no answer, 401, 429 or 5xx.
        """
        key = (event.ref, event.reason)
        before = self._posted.get(key)
        if before is not None and self._clock.elapsed_s() - before.at_s > _REPEAT_S:
            before = None
        if not self._may_send(event.ref):
            self.dropped += 1
            if before is not None:
                self._posted[key] = replace(before, held=before.held + 1)
            return
        try:
            posted = await self._send(event, before)
        except ApiFailure as failure:
            doing = f"event {event.reason} on {event.ref.kind} {event.ref.namespace}/{event.ref.name}"
            raise translated(failure, doing=doing) from failure
        _remember(self._posted, key, posted)

    async def _send(self, event: Event, before: _Posted | None) -> _Posted:
        message = event.message[:_LONGEST_MESSAGE]
        held = before.held if before is not None else 0
        if before is not None and before.message == message:
            try:
                return await self._count_up(event.ref, replace(before, count=before.count + held + 1, held=0))
            except ApiFailure as failure:
                if failure.status != HTTPStatus.NOT_FOUND:  # events are kept for an hour, or less
                    raise
        name = f"{event.ref.name[:_LONGEST_STEM]}.{uuid4().hex[:16]}"
        posted = _Posted(name, message, 1 + held, self._clock.elapsed_s())
        body = _body(event, posted, uid=self._uid_of(event.ref), now_s=self._clock.now_s())
        await self._session.ask(Request(EVENTS.path(event.ref.namespace), "POST", body=body))
        return posted

    async def _count_up(self, ref: TargetRef, posted: _Posted) -> _Posted:
        body = {"count": posted.count, "lastTimestamp": _time(self._clock.now_s())}
        path = f"{EVENTS.path(ref.namespace)}/{posted.name}"
        await self._session.ask(Request(path, "PATCH", body=body, content_type=MERGE_PATCH))
        return replace(posted, at_s=self._clock.elapsed_s())

    def _may_send(self, ref: TargetRef) -> bool:
        now_s = self._clock.elapsed_s()
        bucket = self._buckets.get(ref) or _Bucket(PER_TARGET, PER_TARGET.burst, now_s)
        _remember(self._buckets, ref, bucket)
        if bucket.fill(now_s) < 1 or self._overall.fill(now_s) < 1:
            return False
        bucket.tokens -= 1
        self._overall.tokens -= 1
        return True


def _body(event: Event, posted: _Posted, *, uid: str | None, now_s: float) -> JsonObject:
    ref = event.ref
    involved = {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": posted.name, "namespace": ref.namespace},
        "involvedObject": involved | ({"uid": uid} if uid else {}),
        "reason": event.reason,
        "message": posted.message,
        "type": "Warning" if event.warning else "Normal",
        "count": posted.count,
        "firstTimestamp": _time(now_s),
        "lastTimestamp": _time(now_s),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
    }


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _remember(entries: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep the newest entries only: what has not been used for long is forgotten first."""
    entries[key] = value
    entries.move_to_end(key)
    if len(entries) > _REMEMBERED:
        entries.popitem(last=False)

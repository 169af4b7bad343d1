"""Scales: written with the resourceVersion they were decided on, and read where the object does not tell its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from controller.adapters.kubernetes.discovery import Unscalable
from controller.adapters.kubernetes.objects import Scale, scale_of
from controller.clients.kubernetes import MERGE_PATCH, ApiFailure, Request, translated
from controller.errors import Conflict, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import KubernetesSession
    from controller.ports import Clock
    from controller.records import ScaleOrder, TargetRef

FIELD_MANAGER = "foresail"

_AT_ONCE = 8
_PAUSE_S = 0.2  # changes of an object within this time are read once
_RETRY_S = 5.0


class KubernetesActuator:
    """Writes scales by merge patch of the scale subresource.

    The patch carries the object's resourceVersion, so that an order decided on an older state is refused.
    `on_written` hears of every success: the target, its replicas, and the object's new resourceVersion.
    """

    def __init__(
        self,
        session: KubernetesSession,
        discovery: Discovery,
        on_written: Callable[[TargetRef, int, str], None] = lambda _ref, _replicas, _version: None,
    ) -> None:
        """Write through this session."""
        self._session = session
        self._discovery = discovery
        self._on_written = on_written

    async def scale(self, order: ScaleOrder) -> None:
        """Set the replicas of an object.

        Raises:
            Conflict: the object has changed since the order was decided, be it only its status.
            Rejected: the server refuses (403, 404, 422), or the object has no scale.
            Unavailable: no answer, 401, 429 or 5xx.
        """
        ref = order.ref
        doing = f"scaling {ref.kind} {ref.namespace}/{ref.name} from {order.before} to {order.after}"
        if not order.resource_version:  # the server would take it as leave to overwrite
            raise Conflict(f"{doing}: the object has not been read yet")
        try:
            resource = await self._discovery.resource_of(ref.api_version, ref.kind)
            answer = await self._session.ask(_patch(resource.scale_path(ref), order))
            self._on_written(ref, answer["spec"].get("replicas") or 0, answer["metadata"]["resourceVersion"])
        except ApiFailure as failure:
            raise translated(failure, doing=doing) from failure
        except Unscalable as error:
            raise Rejected(f"{doing}: {error}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise Unavailable(f"{doing}: the server answered something else than a scale: {error!r}") from error


def _patch(path: str, order: ScaleOrder) -> Request:
    body = {"metadata": {"resourceVersion": order.resource_version}, "spec": {"replicas": order.after}}
    return Request(path, "PATCH", {"fieldManager": FIELD_MANAGER}, body, MERGE_PATCH)


class ScaleReader:
    """Reads the scale subresource of objects whenever they change, a few at a time."""

    def __init__(
        self, session: KubernetesSession, clock: Clock, on_read: Callable[[TargetRef, Scale | str], None]
    ) -> None:
        """Tell `on_read` the scale, or in words why it cannot be read."""
        self._session = session
        self._clock = clock
        self._on_read = on_read
        self._paths: dict[TargetRef, str] = {}
        self._wanted: set[TargetRef] = set()
        self._asked = asyncio.Event()
        self._limit = asyncio.Semaphore(_AT_ONCE)

    def want(self, ref: TargetRef, path: str) -> None:
        """Read a scale soon."""
        self._paths[ref] = path
        self._wanted.add(ref)
        self._asked.set()

    def forget(self, ref: TargetRef) -> None:
        """Read a scale no more."""
        self._paths.pop(ref, None)

    async def run(self) -> NoReturn:
        """Read what is wanted, for ever; what fails is tried again after a while."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            batch = [ref for ref in self._wanted if ref in self._paths]
            self._wanted.clear()
            done = await asyncio.gather(*(self._read(ref, self._paths[ref]) for ref in batch))
            failed = [ref for ref, well in zip(batch, done, strict=True) if not well]
            await self._clock.sleep(_RETRY_S if failed else _PAUSE_S)
            for ref in failed:
                if ref in self._paths:
                    self.want(ref, self._paths[ref])

    async def _read(self, ref: TargetRef, path: str) -> bool:
        try:
            async with self._limit:
                scale = scale_of(await self._session.get(path))
        except ApiFailure as failure:
            self._on_read(ref, f"its scale cannot be read: {failure}")
            return False
        except (KeyError, TypeError, ValueError) as error:
            self._on_read(ref, f"its scale cannot be understood: {error}")
            return False
        self._on_read(ref, scale)
        return True

"""Everything of one machine's GPUs together: the watch, the pods by device, and when to let go of the driver."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from controller.adapters.nvml.metrics import GpuMetrics
from controller.adapters.nvml.node import NodeReader, node_reader
from controller.adapters.nvml.pods import SOCKET, pods_by_device
from controller.adapters.nvml.watch import CHILD, GpuWatch, Pace
from controller.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger("foresail.nvml")

ASK_S = 10.0  # how often the kubelet and the API server are asked


@dataclass(frozen=True, slots=True)
class GpuSettings:
    """How the GPUs of a machine are read. While `release_file` exists, the driver is let go of."""

    node: str
    pace: Pace = field(default_factory=Pace)
    kubelet_socket: Path = Path(SOCKET)
    release_file: Path | None = None
    command: Sequence[str] = CHILD


class GpuMachine:
    """Reads until told to stop. What cannot be asked is told once.

    A Node that cannot be read keeps its last answer; pods that cannot be are not known, as a device may be another's.
    """

    def __init__(self, settings: GpuSettings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._by_node = ""
        self._pods: dict[str, tuple[str, str]] | None = None
        self._told: dict[str, str] = {}
        self.watch = GpuWatch(settings.pace, self._released, settings.command)
        self.metrics = GpuMetrics(settings.node, lambda: self.watch.seen, lambda: self._pods)

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set, then let go of the driver."""
        reader = node_reader(self._settings.node)
        if reader is not None:
            await self._ask_node(reader)  # before the driver is opened
        asking = asyncio.create_task(self._ask(stop, reader))
        try:
            await self.watch.run(stop)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    def _released(self) -> str:
        file = self._settings.release_file
        return f"the file {file}" if file is not None and file.exists() else self._by_node

    async def _ask(self, stop: asyncio.Event, reader: NodeReader | None) -> None:
        while not stop.is_set():
            await self._ask_kubelet()
            if reader is not None:
                await self._ask_node(reader)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), ASK_S)

    async def _ask_kubelet(self) -> None:
        if not self._settings.kubelet_socket.exists():
            self._pods = None
            return
        try:
            self._pods = await pods_by_device(self._settings.kubelet_socket)
            self._told.pop("kubelet", None)
        except Unavailable as error:
            self._pods = None
            self._tell("kubelet", str(error))

    async def _ask_node(self, reader: NodeReader) -> None:
        try:
            self._by_node = await reader.released()
            self._told.pop("node", None)
        except Unavailable as error:
            self._tell("node", str(error))

    def _tell(self, what: str, problem: str) -> None:
        if self._told.get(what) != problem:
            self._told[what] = problem
            log.warning("not told", of=what, err=problem)

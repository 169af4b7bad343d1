"""Owns a real Dask scheduler and its workers on loopback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.integration.servers.process import Launch, ServerProcess, free_port, tcp_open

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]


class DaskCluster:
    """One scheduler and workers of one thread each, without nannies: a killed worker stays away."""

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        """Choose ports; nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        host = ("--host", "127.0.0.1", "--no-dashboard")
        self.scheduler = _server("scheduler", folder, port, (*host, "--port", str(port)))
        ports = [free_port() for _ in range(workers)]
        self.workers = [
            _server(f"worker-{number}", folder, at, (self.address, *host, *_ALONE, "--worker-port", str(at)))
            for number, at in enumerate(ports)
        ]

    def __enter__(self) -> Self:
        """Start the scheduler, then the workers."""
        for server in (self.scheduler, *self.workers):
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the workers, then the scheduler."""
        for server in (*self.workers, self.scheduler):
            server.stop()


_ALONE = ("--nthreads", "1", "--no-nanny")


def _server(name: str, folder: Path, port: int, options: Sequence[str]) -> ServerProcess:
    own = folder / name
    own.mkdir()
    program = str(Path(sys.executable).parent / "dask")
    # Workers import the tests' own functions by name.
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = (program, name.partition("-")[0], *options)
    return ServerProcess(Launch(name, command, own, lambda: tcp_open(port), env, timeout_s=60.0))

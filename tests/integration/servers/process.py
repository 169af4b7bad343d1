"""Owns the life of a server process on loopback, and the only waiting that tests do."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import IO, TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

POLL_S = 0.05
PROBE_TIMEOUT_S = 1.0
LOG_TAIL_LINES = 40


class MissingServer(RuntimeError):
    """A server that a test needs cannot be had on this machine; the message says what to do."""


class StartFailed(RuntimeError):
    """A server ended or did not answer before its deadline; the message carries its log's end."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server and how to know that it is ready.

    `folder` holds its log and is its working directory; `user` is the system user to run as
    (only root may name one); `ready` must answer at once or within about a second.
    """

    name: str
    argv: Sequence[str]
    folder: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] | None = None
    user: str | None = None
    timeout_s: float = 30.0


class ServerProcess:
    """One server process that can be started, stopped, killed, frozen and started again."""

    def __init__(self, launch: Launch) -> None:
        """Remember how to start the server; nothing runs yet."""
        self.launch = launch
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it is ready."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    @property
    def log_file(self) -> Path:
        """Where standard output and standard error of every start are appended."""
        return self.launch.folder / f"{self.launch.name}.log"

    @property
    def running(self) -> bool:
        """Whether the process exists (a frozen one does)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server; raises RuntimeError when it does not run."""
        if self._process is None or not self.running:
            raise RuntimeError(f"{self.launch.name} is not running")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status of the last run, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start and wait until ready; raises StartFailed with the log's end."""
        if self.running:
            return
        self.spawn()
        deadline_s = time.monotonic() + self.launch.timeout_s
        while not self.launch.ready():
            if self.running and time.monotonic() < deadline_s:
                _pause_briefly()
                continue
            raise StartFailed(self._explain_failure())

    def spawn(self) -> None:
        """Start the process without waiting for it to be ready."""
        with self.log_file.open("ab") as log:
            self._process = _popen(self.launch, log)

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask the server to end (SIGTERM) and kill it when it has not within `grace_s`."""
        if self._process is None or not self.running:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections are accepted by the kernel, answers never come.

        Returns when every thread has stopped; until then an answer may still slip out.
        """
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restore(self) -> None:
        """Bring the server back from whatever a test did: frozen, stopped or killed."""
        if self.running:
            self.resume()
        self.start()

    def wait(self, timeout_s: float = 10.0) -> int:
        """Wait for the process to end by itself and return its exit status."""
        if self._process is None:
            raise RuntimeError(f"{self.launch.name} was never started")
        return self._process.wait(timeout_s)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """Return the last lines of the log."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open(errors="replace") as log:
            return "".join(deque(log, maxlen=lines))

    def _explain_failure(self) -> str:
        state = f"was not ready after {self.launch.timeout_s:g} s"
        if not self.running:
            state = f"ended with status {self.exit_code} before it was ready"
        self.kill()
        return f"{self.launch.name} {state}; end of its log:\n{self.log_tail()}"


def _popen(launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches pytest alone, whose fixtures then stop the servers.
    return subprocess.Popen(
        list(launch.argv),
        cwd=launch.folder,
        env=None if launch.env is None else dict(launch.env),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=launch.user,
        group=launch.user,
        extra_groups=None if launch.user is None else [],
    )


def eventually(predicate: Callable[[], T], timeout_s: float = 10.0, *, what: str = "") -> T:
    """Poll until the predicate is truthy and return its value; AssertionError at the deadline.

    An AssertionError inside the predicate counts as "not yet"; the last one is shown.
    """
    deadline_s = time.monotonic() + timeout_s
    seen: object = None
    while True:
        try:
            value = predicate()
        except AssertionError as error:
            seen = error
        else:
            if value:
                return value
            seen = value
        if time.monotonic() >= deadline_s:
            raise AssertionError(_never(what, timeout_s, seen))
        _pause_briefly()


async def eventually_async(predicate: Callable[[], Awaitable[T]], timeout_s: float = 10.0, *, what: str = "") -> T:
    """Poll an asynchronous predicate as `eventually` does, without blocking the event loop."""
    deadline_s = time.monotonic() + timeout_s
    seen: object = None
    while True:
        try:
            value = await predicate()
        except AssertionError as error:
            seen = error
        else:
            if value:
                return value
            seen = value
        if time.monotonic() >= deadline_s:
            raise AssertionError(_never(what, timeout_s, seen))
        await asyncio.sleep(POLL_S)


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def tcp_open(port: int) -> bool:
    """Whether something on loopback accepts connections at the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def http_request(method: str, url: str, *, timeout_s: float = PROBE_TIMEOUT_S) -> tuple[int, bytes]:
    """Ask a plain HTTP server on loopback; returns status and body, raises OSError or HTTPException."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=timeout_s)
    with closing(connection):
        connection.request(method, f"{parts.path or '/'}?{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.read()


def http_ok(url: str) -> bool:
    """Whether a GET of the URL answers with a status below 300."""
    try:
        return http_request("GET", url)[0] < 300
    except (OSError, HTTPException):
        return False


def find_program(name: str, *, package: str, also: Sequence[Path] = ()) -> str:
    """Return the path of a program; raises MissingServer naming the Debian package it comes in."""
    for folder in also:
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise MissingServer(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def _pause_briefly() -> None:
    threading.Event().wait(POLL_S)


def _never(what: str, timeout_s: float, seen: object) -> str:
    return f"{what or 'condition'} did not hold within {timeout_s:g} s; last seen: {seen!r}"

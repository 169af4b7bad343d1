"""Owns a real PostgreSQL server for tests, with a fresh database for each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Self

from tests.integration.servers.process import Launch, ServerProcess, find_program, free_port

PACKAGE = "postgresql"
USER = "foresail"
PASSWORD = "loopback-only"
SYSTEM_USER = "postgres"
BINARIES = "/usr/lib/postgresql"


class PostgreSQL:
    """One PostgreSQL server on loopback, without a Unix socket; its data lives until `remove`."""

    def __init__(self) -> None:
        """Create the data folder; raises MissingServer when PostgreSQL is not installed."""
        self.port = free_port()
        # PostgreSQL refuses to run as root, so the folder belongs to the user that it runs as.
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        self._program = _program("postgres")
        self.folder = Path(tempfile.mkdtemp(prefix="foresail-postgresql-"))
        self._data = self.folder / "data"
        self._names = count(1)
        self._initialise()
        self.process = ServerProcess(self._launch())

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and delete its data."""
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start, on the same port and data as before, and wait until queries are accepted."""
        self.process.start()

    def stop(self) -> None:
        """End the server at once but in good order (fast shutdown: open connections are closed)."""
        if self.process.running:
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")
            self.process.wait()

    def kill(self) -> None:
        """End the server without warning; the next start recovers from its log."""
        if self.process.running:
            # SIGKILL of the parent alone would leave children that hold the shared memory.
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate", "-w")
            self.process.wait()

    def pause(self) -> None:
        """Freeze the server's parent process: new connections hang, open sessions go on."""
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self.process.resume()

    def fresh_database(self) -> str:
        """Create an empty database and return its URL for SQLAlchemy with asyncpg."""
        name = f"test_{next(self._names)}"
        self._run("createdb", *self._address(), name)
        return f"postgresql+asyncpg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._user)
            shutil.chown(secret, self._user, self._user)
        auth = ("-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256")
        self._run("initdb", "-D", str(self._data), *auth, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")

    def _launch(self) -> Launch:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 50,
            "shared_buffers": "32MB",
        }
        flags = [f"--{name}={value}" for name, value in settings.items()]
        argv = [self._program, "-D", str(self._data), *flags]
        return Launch("postgresql", argv, self.folder, ready=self._accepts, user=self._user)

    def _accepts(self) -> bool:
        argv = [_program("pg_isready"), *self._address(), "-q"]
        return subprocess.run(argv, check=False, timeout=5).returncode == 0

    def _address(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(name), *arguments],
            cwd=self.folder,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def _program(name: str) -> str:
    newest_first = sorted(Path(BINARIES).glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    return find_program(name, package=PACKAGE, also=newest_first)

"""Owns an exporter inside the test: Prometheus scrapes the figures that the test sets."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

from tests.integration.servers.prometheus import sample_name

Kind = Literal["gauge", "counter"]
Behaviour = Literal["serve", "hang", "error"]

HANG_AT_MOST_S = 60.0


class Exporter:
    """A scrape target on loopback whose samples, manners and life the test decides."""

    def __init__(self) -> None:
        """Prepare an exporter without samples; `with` opens its port."""
        self.behaviour: Behaviour = "serve"
        self.scrapes = 0
        self._port = 0
        self._lock = threading.Lock()
        self._samples: dict[tuple[str, str], float] = {}
        self._kinds: dict[str, Kind] = {}
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Open the port."""
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self.die()

    @property
    def address(self) -> str:
        """The `host:port` to scrape; the same after `die` and `revive`."""
        return f"127.0.0.1:{self._port}"

    def set(self, name: str, value: float, *, kind: Kind = "gauge", **labels: str) -> None:
        """Serve this value from now on; NaN and infinities are served as such."""
        with self._lock:
            self._kinds[name] = kind
            self._samples[name, sample_name(name, labels)] = value

    def remove(self, name: str, **labels: str) -> None:
        """Serve this series no longer: Prometheus marks it stale at its next scrape."""
        with self._lock:
            del self._samples[name, sample_name(name, labels)]

    def die(self) -> None:
        """Close the port: connections are refused."""
        if self._server is None or self._thread is None:
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def revive(self) -> None:
        """Open the port, the same as before if there was one."""
        if self._server is not None:
            return
        self._closing.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler_of(self))
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="exporter")
        self._thread.start()

    def text(self) -> str:
        """Return the exposition text as a scrape sees it."""
        with self._lock:
            samples = sorted(self._samples.items())
            kinds = dict(self._kinds)
        lines: list[str] = []
        for name in sorted({name for (name, _), _ in samples}):
            lines.append(f"# TYPE {name} {kinds[name]}")
            lines.extend(f"{head} {value!r}" for (owner, head), value in samples if owner == name)
        return "\n".join([*lines, ""])

    def answer(self) -> tuple[int, str]:
        """Return status and body for one scrape, after hanging if that is the behaviour."""
        self.scrapes += 1
        if self.behaviour == "hang":
            self._closing.wait(HANG_AT_MOST_S)
        if self.behaviour == "serve":
            return 200, self.text()
        return 500, "the exporter is told to fail"


def _handler_of(exporter: Exporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = exporter.answer()
            body = text.encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # The scraper gave up on a hanging answer.
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep the test's output free of access logs."""

    return Handler

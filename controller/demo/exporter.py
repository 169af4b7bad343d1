"""The HTTP side of the demo: paths for the gateway, each pod and the cluster, and the daemon's metrics stamped."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from controller.demo.load import NAMESPACE
from controller.demo.texts import cluster_text, gateway_text, gpus_text, pod_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from controller.demo.servers import Moment, Pod

GATEWAY_PATH = "/gateway/metrics"
CLUSTER_PATH = "/cluster/metrics"
GPUS_PATH = "/gpus/metrics"
DAEMON_PATH = "/foresail/metrics"
DAEMON_PATIENCE_S = 2.0


class Exporter:
    """Serves the last moment that was published, on loopback, from a thread of its own."""

    def __init__(self, on_scrape: Callable[[], object]) -> None:
        """Open a free port; `with` begins to serve. `on_scrape` is called in that thread, at every scrape."""
        self._on_scrape = on_scrape
        self._moment: Moment | None = None
        self.daemon: Daemon | None = None
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="exporter", daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """The `host:port` to scrape."""
        return f"127.0.0.1:{self._server.server_port}"

    def publish(self, moment: Moment) -> None:
        """Serve this from now on."""
        self._moment = moment

    def text(self, path: str) -> str | None:
        """What a path serves; None where there is nothing, as for a pod that is gone."""
        if path == DAEMON_PATH:
            return None if self.daemon is None else self.daemon.text()
        moment = self._moment
        if moment is None:
            return None
        if path == GATEWAY_PATH:
            self._on_scrape()
            return gateway_text(moment)
        if path == CLUSTER_PATH:
            return cluster_text(moment)
        if path == GPUS_PATH:
            return gpus_text(moment)
        pod = moment.pods.get(path.removeprefix("/pods/").removesuffix("/metrics"))
        return None if pod is None else pod_text(pod, moment.at_s)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The daemon's own metrics, stamped with the simulated time, as all other samples are."""

    address: str  # host:port
    now_s: Callable[[], float]

    def text(self) -> str | None:
        """The metrics of now; None while the daemon does not answer."""
        connection = HTTPConnection(self.address, timeout=DAEMON_PATIENCE_S)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        return stamped(text, self.now_s()) if answer.status == HTTPStatus.OK else None


def stamped(text: str, at_s: float) -> str:
    """Metrics in the text format, each sample with a timestamp."""
    stamp = round(at_s * 1000)
    return "".join(f"{line}\n" if line.startswith("#") else f"{line} {stamp}\n" for line in text.splitlines() if line)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        text = self.server.exporter.text(self.path)
        body = (text or "").encode()
        with suppress(ConnectionError):  # the scraper did not wait; it will say so in `up`
            self.send_response(HTTPStatus.NOT_FOUND if text is None else HTTPStatus.OK)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Every scrape in the log would bury the rest."""


class PodTargets:
    """The file by which Prometheus finds the pods; written when they change."""

    def __init__(self, file: Path, address: str) -> None:
        """Nothing is written yet."""
        self.file, self._address = file, address
        self._known: tuple[str, ...] | None = None

    def publish(self, pods: Iterable[Pod]) -> None:
        """These pods are to be scraped from now on."""
        pods = sorted(pods, key=lambda pod: pod.name)
        names = tuple(pod.name for pod in pods)
        if names == self._known:
            return
        self._known = names
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([self._group(pod) for pod in pods]), encoding="utf-8")
        new.replace(self.file)

    def _group(self, pod: Pod) -> dict[str, object]:
        path = {"__metrics_path__": f"/pods/{pod.name}/metrics", "instance": pod.name}
        return {
            "targets": [self._address],
            "labels": {"namespace": NAMESPACE, "app": pod.app, "pod": pod.name, **path},
        }

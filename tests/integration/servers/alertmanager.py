"""Owns a real Alertmanager, and a webhook inside the test that takes what it sends."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.integration.servers.process import Launch, ServerProcess, find_program, free_port, http_ok, http_request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGE = "prometheus-alertmanager"


class Webhook:
    """Takes Alertmanager's documents on loopback and keeps the alerts in them that fire."""

    def __init__(self) -> None:
        """Open the port."""
        self.firing: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="webhook")

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def take(self, document: dict[str, Any]) -> None:
        """Keep what fires."""
        self.firing += [alert for alert in document["alerts"] if alert["status"] == "firing"]

    def told(self, name: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts of this name that came with these labels."""
        wanted = {"alertname": name, **labels}.items()
        return [alert for alert in list(self.firing) if wanted <= alert["labels"].items()]


class Alertmanager:
    """One Alertmanager that sends every alert on its own to a webhook, a second after it came."""

    def __init__(self, folder: Path, webhook: str, inhibit_rules: Sequence[dict[str, Any]]) -> None:
        """Write its configuration; raises MissingServer when Alertmanager is not installed."""
        self.address = f"127.0.0.1:{free_port()}"
        self.config = folder / "alertmanager.yml"
        at_once = {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
        document = {
            "route": {"receiver": "test", "group_by": ["..."], **at_once},
            "receivers": [{"name": "test", "webhook_configs": [{"url": webhook}]}],
            "inhibit_rules": list(inhibit_rules),
        }
        self.config.write_text(yaml.safe_dump(document))
        argv = [
            find_program("prometheus-alertmanager", package=PACKAGE),
            f"--config.file={self.config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        ready = f"http://{self.address}/-/ready"
        self.process = ServerProcess(Launch("alertmanager", argv, folder, ready=lambda: http_ok(ready)))

    def __enter__(self) -> Self:
        """Start and wait until it is ready."""
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.process.stop()

    def inhibited(self, name: str, **labels: str) -> bool | None:
        """Whether an alert that it knows is inhibited; None while it does not know it."""
        status, body = http_request("GET", f"http://{self.address}/api/v2/alerts", timeout_s=5)
        assert status == 200, body
        wanted = {"alertname": name, **labels}.items()
        found = [alert for alert in json.loads(body) if wanted <= alert["labels"].items()]
        return bool(found[0]["status"]["inhibitedBy"]) if found else None


def _handler_of(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output free of access logs."""

    return Handler

"""Owns real Prometheus servers for tests, with history that was backfilled before they start."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import yaml

from tests.integration.servers.process import (
    Launch,
    ServerProcess,
    find_program,
    free_port,
    http_ok,
    http_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

PACKAGE = "prometheus"
QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series of history: `at_s` (unix time, ascending) and `values` have the same length."""

    name: str
    labels: Mapping[str, str]
    at_s: Sequence[float]
    values: Sequence[float]


class Prometheus:
    """One Prometheus with its data in `folder`; it keeps its port and its data across restarts."""

    def __init__(self, folder: Path) -> None:
        """Write an empty configuration; raises MissingServer when Prometheus is not installed."""
        self.folder = folder
        self.port = free_port()
        self._promtool = find_program("promtool", package=PACKAGE)
        self._config = folder / "prometheus.yml"
        self._data = folder / "data"
        self._data.mkdir(parents=True, exist_ok=True)
        self._alerting: dict[str, Any] = {}
        self._write_config((), interval_s=1)
        self.process = ServerProcess(self._launch(find_program("prometheus", package=PACKAGE)))

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until queries are answered (0.1 to 0.2 s)."""
        self.process.start()

    def stop(self) -> None:
        """End the server in good order."""
        self.process.stop()

    def kill(self) -> None:
        """End the server as a crash would; `start` brings it back on the same port and data."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze the server: connections open and hang."""
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self.process.resume()

    def scrape(self, *addresses: str, interval_s: float = 1) -> None:
        """Scrape these `host:port` from now on; the first sample comes about 5.5 s later."""
        self._write_config(addresses, interval_s=interval_s)
        if self.process.running:
            self.reload()

    def alert(self, rules: Path, alertmanager: str) -> None:
        """Evaluate a file of rules from now on, and send what fires to an Alertmanager at `host:port`."""
        receivers = [{"static_configs": [{"targets": [alertmanager]}]}]
        self._alerting = {"rule_files": [str(rules)], "alerting": {"alertmanagers": receivers}}
        self.scrape()

    def reload(self) -> None:
        """Make the server read its configuration again."""
        status, body = http_request("POST", f"{self.url}/-/reload", timeout_s=QUERY_TIMEOUT_S)
        assert status == 200, body.decode(errors="replace")

    def backfill(self, series: Iterable[Series]) -> None:
        """Put history into the data folder; a running server is restarted so that it loads the blocks.

        Counters and gauges alike are written as untyped samples, which PromQL treats the same.
        """
        text = self.folder / "backfill.om"
        text.write_text(openmetrics(series))
        argv = [self._promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(self._data)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        text.unlink()
        if self.process.running:
            self.stop()
            self.start()

    def query(self, expr: str, *, at_s: float | None = None) -> list[dict[str, Any]]:
        """Return the `result` of an instant query; fails the test when it is refused."""
        params = {"query": expr} if at_s is None else {"query": expr, "time": f"{at_s:.3f}"}
        url = f"{self.url}/api/v1/query?{urlencode(params)}"
        status, body = http_request("GET", url, timeout_s=QUERY_TIMEOUT_S)
        assert status == 200, body.decode(errors="replace")
        result: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return result

    def value(self, expr: str, *, at_s: float | None = None) -> float | None:
        """Return the value of an instant query that has one result, None when it has none."""
        result = self.query(expr, at_s=at_s)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def _launch(self, program: str) -> Launch:
        argv = [
            program,
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._data}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=2s",  # an Alertmanager is found 5 s after the first alert was sent to nobody
        ]
        return Launch("prometheus", argv, self.folder, ready=lambda: http_ok(f"{self.url}/-/ready"))

    def _write_config(self, addresses: Sequence[str], *, interval_s: float) -> None:
        interval = f"{round(interval_s * 1000)}ms"
        job = {"job_name": "test", "static_configs": [{"targets": list(addresses)}]}
        timing = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
        self._config.write_text(yaml.safe_dump({"global": timing, "scrape_configs": [job], **self._alerting}))


def openmetrics(series: Iterable[Series]) -> str:
    """Write series as OpenMetrics text, the series of one metric family next to each other."""
    ordered = sorted(series, key=lambda one: one.name)
    lines = [line for one in ordered for line in _lines(one)]
    return "\n".join([*lines, "# EOF", ""])


def sample_name(name: str, labels: Mapping[str, str]) -> str:
    """Write a metric name with its labels as the exposition format does."""
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


def _lines(one: Series) -> Iterable[str]:
    head = sample_name(one.name, one.labels)
    pairs = zip(one.at_s, one.values, strict=True)
    return (f"{head} {float(value)!r} {float(at_s):.3f}" for at_s, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""A real Prometheus for the demo: found on the PATH, given a past week, and ended with the demo."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from controller.demo.exporter import CLUSTER_PATH, DAEMON_PATH, GATEWAY_PATH, GPUS_PATH
from controller.demo.load import NAMESPACE
from controller.errors import ForesailError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from controller.demo.load import Load

INSTALL = "apt-get install prometheus"
GATEWAY_LABELS = {"job": "gateway", "instance": "gateway"}
START_S = 30.0
STOP_S = 10.0
LOG_TAIL = 600  # characters
# Samples carry the simulated time and `up` the real one, weeks later: the server would at once cut all that lies
# between into hundreds of blocks, and show nothing new meanwhile. It keeps everything in memory instead.
BLOCK = "3650d"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the two programs of the package are."""

    prometheus: str
    promtool: str


def find_programs() -> Programs | None:
    """The programs on the PATH; None unless both are there."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    return None if server is None or tool is None else Programs(server, tool)


@dataclass(frozen=True, slots=True)
class Scrape:
    """What to scrape, how often (real seconds), and where the pods are listed."""

    address: str
    interval_s: float
    pods: Path

    def config(self) -> dict[str, Any]:
        """The server's configuration.

        Samples carry the simulated time, which lies behind that of `up`: hence the window for samples out of order.
        """
        interval = f"{round(self.interval_s * 1000)}ms"
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": "1m"},
            "storage": {"tsdb": {"out_of_order_time_window": "3650d"}},
            "scrape_configs": [
                {
                    "job_name": GATEWAY_LABELS["job"],
                    "honor_labels": True,
                    "metrics_path": GATEWAY_PATH,
                    "static_configs": [{"targets": [self.address], "labels": {"instance": GATEWAY_LABELS["instance"]}}],
                },
                self._beside("foresail", DAEMON_PATH),
                self._beside("kube-state-metrics", CLUSTER_PATH),
                self._beside("dcgm-exporter", GPUS_PATH),
                {"job_name": "pods", "file_sd_configs": [{"files": [str(self.pods)]}]},
            ],
        }

    def _beside(self, job: str, path: str) -> dict[str, Any]:
        targets = [{"targets": [self.address], "labels": {"instance": job}}]
        return {"job_name": job, "honor_labels": True, "metrics_path": path, "static_configs": targets}


async def backfill(programs: Programs, folder: Path, loads: Mapping[str, Load]) -> None:
    """Write what arrived in the week before the demo as blocks into `folder`/data. Raises ForesailError."""
    text = folder / "past.om"
    text.write_text("\n".join([*_past_lines(loads), "# EOF", ""]), encoding="utf-8")
    argv = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=168h", str(text), str(folder / "data")]
    tool = await asyncio.create_subprocess_exec(
        programs.promtool, *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        told, _ = await tool.communicate()
    finally:
        await _end(tool)
    if tool.returncode != 0:
        raise ForesailError(f"promtool could not write the past week: {told.decode(errors='replace')[-LOG_TAIL:]}")
    text.unlink()


def _past_lines(loads: Mapping[str, Load]) -> Iterator[str]:
    for app, load in loads.items():
        labels = {**GATEWAY_LABELS, "namespace": NAMESPACE, "app": app}
        name = ",".join(f'{key}="{value}"' for key, value in labels.items())
        for at_s, value in zip(*(column.tolist() for column in load.past()), strict=True):
            yield f"demo_requests_total{{{name}}} {value!r} {at_s:.3f}"


@asynccontextmanager
async def running(programs: Programs, folder: Path, scrape: Scrape, scraped: asyncio.Event) -> AsyncIterator[str]:
    """A Prometheus on `folder`/data that has scraped once; gives its URL. Raises ForesailError if it does not start."""
    config, log = folder / "prometheus.yml", folder / "prometheus.log"
    config.write_text(json.dumps(scrape.config()), encoding="utf-8")  # JSON is YAML
    port = free_port()
    argv = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--storage.tsdb.min-block-duration={BLOCK}",
        f"--storage.tsdb.max-block-duration={BLOCK}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.lookback-delta=2m",
        "--log.level=warn",
    ]
    with log.open("wb") as written:
        # A session of its own: Ctrl-C reaches the demo alone, which then ends the server in good order.
        server = await asyncio.create_subprocess_exec(
            programs.prometheus, *argv, stdout=written, stderr=asyncio.subprocess.STDOUT, start_new_session=True
        )
    try:
        await _first_scrape(server, scraped, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        await _end(server)


async def _first_scrape(server: asyncio.subprocess.Process, scraped: asyncio.Event, log: Path) -> None:
    waits = [asyncio.create_task(wait) for wait in (scraped.wait(), server.wait())]
    try:
        await asyncio.wait(waits, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if not scraped.is_set():
        told = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
        raise ForesailError(f"prometheus did not begin to scrape within {START_S:g} s: {told[-LOG_TAIL:]}")


async def _end(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        await asyncio.wait_for(server.wait(), STOP_S)
    except TimeoutError:
        server.kill()
        await server.wait()


def graph_url(url: str, query: str, at_s: str) -> str:
    """Where Prometheus draws a query over the hours up to a moment, written as in 2026-01-31 08:00."""
    asked = {"g0.expr": query, "g0.tab": "0", "g0.range_input": "12h", "g0.end_input": at_s}
    return f"{url}/graph?{urlencode(asked)}"


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

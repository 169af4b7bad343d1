"""Owns a real Chromium without a window, which opens pages and tells what went wrong in them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import ClientSession

from tests.integration.servers.process import (
    Launch,
    ServerProcess,
    eventually_async,
    find_program,
    free_port,
    http_request,
    tcp_open,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import ClientWebSocketResponse

_ERRORS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
_COMPLETE = "document.readyState === 'complete'"
_SIZES = "[document.documentElement.scrollWidth, innerWidth, document.querySelectorAll('svg').length]"


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at."""

    width: int
    scheme: str = "light"
    phone: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What a browser says of a page: complaints, its width and that of the window, its plots, and a picture."""

    complaints: list[dict[str, Any]]
    page_width: int
    window_width: int
    plots: int
    picture: bytes


class Chromium:
    """One browser, driven by its DevTools protocol; `async with` starts it."""

    def __init__(self, folder: Path) -> None:
        """Find the program; raises MissingServer where it is not installed."""
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        places = (f"--remote-debugging-port={self._port}", f"--user-data-dir={folder / 'profile'}")
        program = find_program("chromium", package="chromium")
        argv = (program, *flags, *places, "about:blank")
        self._process = ServerProcess(Launch("chromium", argv, folder, lambda: tcp_open(self._port), timeout_s=60.0))
        self._session = ClientSession()
        self._calls = 0
        self._events: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        """Start the browser."""
        self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the browser."""
        await self._session.close()
        self._process.stop()

    async def look(self, page: Path, view: View) -> Seen:
        """Open a page of a file in a window and wait until it is there."""
        tabs = json.loads(http_request("GET", f"http://127.0.0.1:{self._port}/json")[1])
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with self._session.ws_connect(address, max_msg_size=0) as socket:
            self._events.clear()
            for domain in ("Page", "Log", "Runtime"):
                await self._call(socket, f"{domain}.enable")
            size = {"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.phone}
            await self._call(socket, "Emulation.setDeviceMetricsOverride", **size)
            scheme = [{"name": "prefers-color-scheme", "value": view.scheme}]
            await self._call(socket, "Emulation.setEmulatedMedia", features=scheme)
            await self._call(socket, "Page.navigate", url=page.as_uri())

            async def there() -> bool:
                found = await self._value(socket, f"location.href === {json.dumps(page.as_uri())} && {_COMPLETE}")
                return bool(found)

            await eventually_async(there, what=f"{page} in the browser")
            page_width, window_width, plots = await self._value(socket, _SIZES)
            shot = await self._call(socket, "Page.captureScreenshot", format="png", captureBeyondViewport=True)
            complaints = [event["params"] for event in self._events if event.get("method") in _ERRORS]
        return Seen(complaints, page_width, window_width, plots, base64.b64decode(shot["data"]))

    async def _value(self, socket: ClientWebSocketResponse, expression: str) -> Any:  # noqa: ANN401 - any JSON
        answer = await self._call(socket, "Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"]["value"]

    async def _call(self, socket: ClientWebSocketResponse, method: str, **parameters: object) -> dict[str, Any]:
        """Ask and wait for the answer; what the browser tells meanwhile is kept."""
        self._calls += 1
        await socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            told: dict[str, Any] = await socket.receive_json(timeout=30)
            if told.get("id") == self._calls:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._events.append(told)

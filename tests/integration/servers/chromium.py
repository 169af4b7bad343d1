"""Owns a real Chromium without a window, which opens pages and tells what went wrong in them."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
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
    from collections.abc import AsyncIterator

    from aiohttp import ClientWebSocketResponse

AXE = Path(__file__).parent / "axe" / "axe.min.js"

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

    async def __aenter__(self) -> Self:
        """Start the browser."""
        self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the browser."""
        await self._session.close()
        self._process.stop()

    @asynccontextmanager
    async def tab(self, url: str, view: View) -> AsyncIterator[Tab]:
        """A page in a window, once it is there."""
        tabs = json.loads(http_request("GET", f"http://127.0.0.1:{self._port}/json")[1])
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with self._session.ws_connect(address, max_msg_size=0) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Log", "Runtime", "Network"):
                await tab.call(f"{domain}.enable")
            await tab.set_view(view)
            await tab.go(url)
            yield tab

    async def look(self, page: Path, view: View) -> Seen:
        """Open a page of a file in a window and say what is there."""
        async with self.tab(page.as_uri(), view) as tab:
            page_width, window_width, plots = await tab.value(_SIZES)
            picture = await tab.picture()
            return Seen(tab.complaints(), page_width, window_width, plots, picture)


class Tab:
    """A page in the browser. What it complains of is kept from the moment it is asked for."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        """The browser answers through the socket."""
        self._socket = socket
        self._calls = 0
        self._events: list[dict[str, Any]] = []

    async def set_view(self, view: View) -> None:
        """Set the window's size, and light or dark."""
        size = {"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": view.phone}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = [{"name": "prefers-color-scheme", "value": view.scheme}]
        await self.call("Emulation.setEmulatedMedia", features=scheme)

    async def go(self, url: str) -> None:
        """Open a page and wait until it is there."""
        self._events.clear()
        await self.call("Page.navigate", url=url)

        async def there() -> bool:
            return bool(await self.value(f"location.href === {json.dumps(url)} && {_COMPLETE}"))

        await eventually_async(there, what=f"{url} in the browser")

    async def axe(self) -> list[str]:
        """What axe-core finds wrong with the page: rule, what it means, and where."""
        await self.call("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
        found = await self.value("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")
        return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']]}" for each in found]

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser has written to its console."""
        return [event["params"] for event in self._events if event.get("method") in _ERRORS]

    async def value(self, expression: str) -> Any:  # noqa: ANN401 - any JSON
        """What a JavaScript expression comes to, once it has settled where it is a promise."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Ask and wait for the answer; what the browser tells meanwhile is kept."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            told: dict[str, Any] = await self._socket.receive_json(timeout=30)
            if told.get("id") == self._calls:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._events.append(told)

"""`make pictures`: each page of the console with the demo's data, light and dark, wide and narrow, to docs/pictures."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from tests.integration.servers.chromium import Chromium, Tab, View
from tests.integration.servers.png import with_palette
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = Path(__file__).resolve().parents[2] / "docs" / "pictures"
VIEWS = {
    "wide-light": View(1280),
    "wide-dark": View(1280, "dark"),
    "narrow-light": View(320, phone=True),
    "narrow-dark": View(320, "dark", phone=True),
}
PAGES = {
    "sign-in": "/console/sign-in",
    "workloads": "/console",
    "workload": "/console/workloads/demo/chat",
    "what-if": "/console/workloads/demo/chat/whatif?late=0.005&price=2.5&ask=1",
    "all": "/console/fleet",
}
DAY_S = 30.0  # real seconds after which the demo has something to show
PATIENCE_S = 400.0


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs: its address and the token with which one may act."""

    url: str
    token: str

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """What the API says; nothing before the first tick."""
        try:
            with urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - our own daemon
                return json.load(answer)
        except OSError:
            return {}

    def post(self, path: str, body: object) -> None:
        """Tell the API something."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        asked = Request(f"{self.url}{path}", json.dumps(body).encode(), headers)  # noqa: S310 - our own daemon
        with urlopen(asked, timeout=10) as answer:  # noqa: S310 - as above
            answer.read()


@contextmanager
def demo() -> Iterator[Demo]:
    """The demo at 60 times the pace of the day, until the block ends."""
    program = Path(sys.executable).parent / "foresail"
    with TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        with told.open("w") as written:
            process = subprocess.Popen([program, "demo", "--plain", "--speed", "60"], stdout=written)
        try:
            found = eventually(
                lambda: re.search(r"console: (\S+)/console.*?sign in with (\S+)", told.read_text(), re.DOTALL),
                PATIENCE_S,
                what="the demo's address",
            )
            assert found is not None
            yield Demo(found[1], found[2])
        finally:
            process.terminate()
            process.wait(90)


async def taken(demo: Demo, folder: Path) -> None:
    """Look at every page in every way."""
    async with Chromium(folder) as chromium, chromium.tab(f"{demo.url}/console/sign-in", VIEWS["wide-light"]) as tab:
        for page, path in PAGES.items():
            if page == "workloads":
                await _sign_in(tab, demo)
            for name, view in VIEWS.items():
                await tab.set_view(view)
                await tab.go(demo.url + path)
                (PLACE / f"console-{page}-{name}.png").write_bytes(with_palette(await tab.picture()))


async def _sign_in(tab: Tab, demo: Demo) -> None:
    await tab.value(f"document.getElementById('token').value = {json.dumps(demo.token)}")
    await tab.value("document.querySelector('main form').submit()")
    deadline_s = time.monotonic() + 10.0
    while not await tab.value("location.pathname === '/console'"):
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.1)


def main() -> None:
    """Let the demo run for a while, tell it something, and take the pictures."""
    PLACE.mkdir(exist_ok=True)
    with demo() as running, TemporaryDirectory() as folder:
        chat = "/api/v1/workloads/demo/chat"
        eventually(lambda: running.get(chat).get("outlook"), PATIENCE_S, what="the next week of chat")
        until_s = time.monotonic() + DAY_S
        eventually(lambda: time.monotonic() > until_s, 2 * DAY_S, what="enough of the demo's day")
        running.post("/api/v1/workloads/demo/rerank/pause", {"reason": "looking into slow answers", "for": "2h"})
        asyncio.run(taken(running, Path(folder)))


if __name__ == "__main__":
    main()

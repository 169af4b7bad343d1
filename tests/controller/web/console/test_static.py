"""Scripts and styles: those that were checked in, found by the digest of their content."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.controller.web.console.conftest import Browser


def test_uplot_is_what_its_manifest_says() -> None:
    folder = files("controller.web.console") / "static" / "uplot"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["version"], manifest["license"]) == ("1.6.32", "MIT")
    assert {each.name for each in folder.iterdir()} == {*manifest["sha256"], "manifest.json"}
    for name, digest in manifest["sha256"].items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest, name


async def test_files_keep_for_long_and_are_known_by_their_tags(browser: Browser) -> None:
    page = await browser.get("/console/workloads/shop/web")
    paths = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page.text)
    assert [path.rpartition("/")[2] for path in paths] == [
        "icon.svg",
        "console.css",
        "uPlot.min.css",
        "uPlot.iife.min.js",
        "chart.js",
        "console.js",
    ]
    for path in paths:
        found = await browser.get(path)
        assert (found.status, "immutable" in found.headers["Cache-Control"]) == (200, True)
        again = await browser.get(path, **{"If-None-Match": found.headers["ETag"]})
        assert again.status == 304
    wrong = re.sub(r"static/[0-9a-f]+/", "static/0123456789abcdef/", paths[1])
    assert (await browser.get(wrong)).status == 404
    assert (await browser.get("/console/static/x/..%2f..%2fwords.py")).status == 404

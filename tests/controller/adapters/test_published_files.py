"""Files in a folder: written when they changed, kept when a person changed them, whole after every fault."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.adapters.published_files import PublishedFiles, write_files
from controller.clients.http import HttpAccess, HttpClient
from controller.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from controller.records import Publication

FILES = {"a.json": "{}\n", "b.rules.yaml": "groups: []\n"}


def publisher(folder: Path, files: dict[str, str] | None = None, client: HttpClient | None = None) -> PublishedFiles:
    return PublishedFiles("test", folder, lambda: FILES if files is None else files, client)


def results(done: Sequence[Publication]) -> dict[str, str]:
    return {each.name: each.result for each in done}


def there(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


async def test_writes_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert results(await publisher(folder).publish(write=False)) == dict.fromkeys(FILES, "created")
    assert not folder.exists()
    assert results(await publisher(folder).publish()) == dict.fromkeys(FILES, "created")
    assert there(folder) == FILES
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o644
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert results(await publisher(folder).publish()) == dict.fromkeys(FILES, "unchanged")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


async def test_a_changed_rendering_replaces_ours_and_what_is_rendered_no_more_goes(tmp_path: Path) -> None:
    await publisher(tmp_path).publish()
    now = {"a.json": '{"now": 1}\n'}

    assert results(await publisher(tmp_path, now).publish()) == {"a.json": "updated", "b.rules.yaml": "deleted"}
    assert there(tmp_path) == now


async def test_what_a_person_changed_is_kept_unless_forced(tmp_path: Path) -> None:
    await publisher(tmp_path).publish()
    (tmp_path / "a.json").write_text("mine")

    done = await publisher(tmp_path, {"a.json": "new"}).publish()
    assert results(done) == {"a.json": "kept", "b.rules.yaml": "deleted"}
    assert "was changed since it was published" in done[0].message
    assert there(tmp_path) == {"a.json": "mine"}
    assert results(await publisher(tmp_path, {"a.json": "new"}).publish(force=True)) == {"a.json": "updated"}
    assert there(tmp_path) == {"a.json": "new"}


async def test_a_file_that_was_there_before_is_kept_and_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    (tmp_path / "other.json").write_text("theirs")

    done = await publisher(tmp_path).publish()
    assert results(done) == {"a.json": "kept", "b.rules.yaml": "created"}
    assert "was not published by Foresail" in done[0].message
    await publisher(tmp_path, {}).publish()
    assert there(tmp_path) == {"a.json": "mine", "other.json": "theirs"}


async def test_a_lost_record_keeps_what_differs_and_adopts_what_does_not(tmp_path: Path) -> None:
    await publisher(tmp_path).publish()
    (tmp_path / ".foresail-test").write_text("{broken")

    assert results(await publisher(tmp_path).publish()) == dict.fromkeys(FILES, "unchanged")
    now = FILES | {"a.json": "new"}
    assert results(await publisher(tmp_path, now).publish()) == {"a.json": "updated", "b.rules.yaml": "unchanged"}


async def test_a_full_disk_leaves_old_files_whole_and_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await publisher(tmp_path).publish()
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:  # the record is written, the first file is not
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    now = {"a.json": "new", "b.rules.yaml": "groups: [] # new"}
    with pytest.raises(Unavailable, match="No space left"):
        await publisher(tmp_path, now).publish()
    assert there(tmp_path) == FILES
    assert left_over(tmp_path) == [".foresail-test"]
    monkeypatch.undo()
    assert results(await publisher(tmp_path, now).publish()) == dict.fromkeys(FILES, "updated")
    assert there(tmp_path) == now


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(Unavailable, match=str(in_the_way)):
        await publisher(in_the_way).publish()
    with pytest.raises(Rejected, match=str(in_the_way)):
        write_files(in_the_way, FILES)


class Reloads:
    """A Prometheus that counts reloads, and answers as told."""

    def __init__(self) -> None:
        self.count, self.status, self.body = 0, 200, ""

    async def answer(self, request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/-/reload")
        self.count += 1
        return web.Response(status=self.status, text=self.body)


@pytest.fixture
async def reloads() -> AsyncIterator[tuple[Reloads, HttpClient]]:
    fake, app = Reloads(), web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    server = TestServer(app)
    await server.start_server()
    async with HttpClient(HttpAccess(str(server.make_url("")).rstrip("/"))) as client:
        yield fake, client
    await server.close()


async def test_prometheus_is_told_when_rules_changed_and_only_then(
    tmp_path: Path, reloads: tuple[Reloads, HttpClient]
) -> None:
    fake, client = reloads
    await publisher(tmp_path, client=client).publish()
    await publisher(tmp_path, client=client).publish()
    await publisher(tmp_path, FILES | {"a.json": "new"}, client).publish()
    assert fake.count == 1
    await publisher(tmp_path, FILES | {"a.json": "new", "b.rules.yaml": "groups: [] # new"}, client).publish()
    assert fake.count == 2


async def test_a_reload_that_failed_is_tried_again_after_a_restart(
    tmp_path: Path, reloads: tuple[Reloads, HttpClient]
) -> None:
    fake, client = reloads
    fake.status = 503
    assert (await publisher(tmp_path, client=client).publish())[-1].result == "unavailable"
    assert (await publisher(tmp_path, client=client).publish())[-1].result == "unavailable"
    fake.status = 200
    assert (await publisher(tmp_path, client=client).publish())[-1].result == "updated"
    assert results(await publisher(tmp_path, client=client).publish()) == dict.fromkeys(FILES, "unchanged")
    assert fake.count == 3


@pytest.mark.parametrize(
    ("status", "body", "result", "told"),
    [
        pytest.param(403, "Lifecycle API is not enabled.", "rejected", "--web.enable-lifecycle", id="not-enabled"),
        pytest.param(500, "failed to reload config: bad rule", "rejected", "bad rule", id="refused"),
        pytest.param(500, "boom", "unavailable", "HTTP 500", id="fails"),
    ],
)
async def test_what_prometheus_answers_is_told(
    tmp_path: Path, reloads: tuple[Reloads, HttpClient], status: int, body: str, result: str, told: str
) -> None:
    fake, client = reloads
    fake.status, fake.body = status, body
    done = (await publisher(tmp_path, client=client).publish())[-1]
    assert done.result == result
    assert told in done.message

"""Publishing through grafana-client's own code, against a Grafana with the real statuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.adapters.grafana import GrafanaAccess, GrafanaDashboards
from controller.errors import Unavailable
from dashboards.catalogue import Document, documents
from tests.controller.adapters.grafana_server import TOKEN, FakeGrafana, Stored, grafana

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from controller.records import Publication


def board(uid: str = "foresail-fleet", title: str = "Fleet") -> Document:
    body = {"uid": uid, "title": title, "tags": ["foresail", "generated"], "schemaVersion": 42, "panels": []}
    return Document(uid, title, f"{uid}.json", body)


BOARDS = (board(), board("foresail-gpu", "GPU"))


@pytest.fixture
async def fake() -> AsyncIterator[FakeGrafana]:
    async with grafana() as started:
        yield started


async def publish(
    fake: FakeGrafana,
    boards: Sequence[Document] = BOARDS,
    *,
    write: bool = True,
    force: bool = False,
    timeout_s: float = 5.0,
) -> tuple[Publication, ...]:
    access = GrafanaAccess(fake.url, token=TOKEN, timeout_s=timeout_s)
    return await GrafanaDashboards(access, lambda: boards).publish(write=write, force=force)


def results(done: Sequence[Publication]) -> list[str]:
    return [each.result for each in done]


async def test_creates_the_folder_once_and_every_dashboard_in_it(fake: FakeGrafana) -> None:
    assert results(await publish(fake)) == ["created", "created"]

    assert fake.folders == {"foresail": "Foresail"}
    assert [path for _, path in fake.writes] == ["/api/folders", "/api/dashboards/db", "/api/dashboards/db"]
    stored = fake.boards["foresail-fleet"]
    assert (stored.folder, stored.body["title"]) == ("foresail", "Fleet")
    assert stored.body["tags"][:2] == ["foresail", "generated"]
    assert stored.messages == [f"foresail {stored.body['tags'][2].removeprefix('gen:')}"]


async def test_what_did_not_change_is_not_written(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.writes.clear()

    assert results(await publish(fake)) == ["unchanged", "unchanged"]
    assert fake.writes == []


async def test_our_own_dashboards_are_unchanged_after_they_were_published(fake: FakeGrafana) -> None:
    ours = documents()
    assert results(await publish(fake, ours)) == ["created"] * 6
    assert results(await publish(fake, ours)) == ["unchanged"] * 6


async def test_only_what_changed_is_written(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.writes.clear()

    assert results(await publish(fake, (board(title="Fleet now"), BOARDS[1]))) == ["updated", "unchanged"]
    assert len(fake.writes) == 1
    assert fake.boards["foresail-fleet"].body["title"] == "Fleet now"


async def test_a_comparison_tells_the_same_and_writes_nothing(fake: FakeGrafana) -> None:
    assert results(await publish(fake, write=False)) == ["created", "created"]
    assert fake.writes == []
    assert fake.boards == {}


async def test_what_a_person_changed_is_kept_unless_forced(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.save_by_hand("foresail-fleet", "My fleet")
    fake.writes.clear()

    done = await publish(fake, (board(title="Fleet now"), BOARDS[1]))
    assert results(done) == ["kept", "unchanged"]
    assert "a person changed it" in done[0].message
    assert fake.writes == []
    assert results(await publish(fake, (board(title="Fleet now"),), force=True))[0] == "updated"
    assert fake.boards["foresail-fleet"].body["title"] == "Fleet now"


async def test_a_dashboard_that_grafana_stores_in_another_form_is_still_known_as_ours(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.migrates = True

    assert results(await publish(fake)) == ["unchanged", "unchanged"]
    fake.save_by_hand("foresail-gpu", "My GPUs")
    assert results(await publish(fake)) == ["unchanged", "kept"]


async def test_a_dashboard_that_was_never_ours_is_kept(fake: FakeGrafana) -> None:
    fake.boards["foresail-gpu"] = Stored({"uid": "foresail-gpu", "title": "Mine", "tags": []}, "", ["by hand"])

    done = await publish(fake)
    assert results(done) == ["created", "kept"]
    assert "was not published by Foresail" in done[1].message


async def test_a_dashboard_that_a_person_moved_stays_where_it_is(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.folders["other"] = "Other"
    fake.boards["foresail-fleet"].folder = "other"

    assert results(await publish(fake, (board(title="Fleet now"), BOARDS[1]))) == ["updated", "unchanged"]
    assert fake.boards["foresail-fleet"].folder == "other"


async def test_a_save_at_the_same_time_is_read_again_and_kept(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.meanwhile = lambda now: now.save_by_hand("foresail-fleet", "My fleet")

    assert results(await publish(fake, (board(title="Fleet now"), BOARDS[1]))) == ["kept", "unchanged"]
    assert fake.boards["foresail-fleet"].body["title"] == "My fleet"


async def test_a_conflict_that_does_not_end_is_told_and_the_rest_goes_on(fake: FakeGrafana) -> None:
    await publish(fake)

    def somebody_touches(now: FakeGrafana) -> None:
        stored = now.boards["foresail-fleet"]
        stored.messages.append(stored.messages[-1])  # a save that looks like ours, as by a second daemon
        now.meanwhile = somebody_touches

    fake.meanwhile = somebody_touches
    done = await publish(fake, (board(title="Fleet now"), BOARDS[1]))
    assert results(done) == ["conflict", "unchanged"]
    assert "412" in done[0].message


async def test_a_folder_deleted_meanwhile_is_made_again(fake: FakeGrafana) -> None:
    fake.meanwhile = lambda now: now.folders.clear()

    assert results(await publish(fake)) == ["created", "created"]
    assert fake.folders == {"foresail": "Foresail"}


async def test_a_missing_folder_that_may_not_be_made_is_rejected_with_the_mend(fake: FakeGrafana) -> None:
    fake.may_create_folders = False

    done = await publish(fake)
    assert results(done) == ["rejected", "rejected"]
    assert "creating folder foresail" in done[0].message
    assert "needs the role Editor" in done[0].message
    assert fake.boards == {}


async def test_a_dashboard_of_the_same_title_is_rejected_with_the_mend(fake: FakeGrafana) -> None:
    fake.boards["mine"] = Stored({"uid": "mine", "title": "GPU", "tags": []}, "foresail", ["by hand"])

    done = await publish(fake)
    assert results(done) == ["created", "rejected"]
    assert "rename the other dashboard" in done[1].message


async def test_a_provisioned_dashboard_is_rejected_with_the_mend(fake: FakeGrafana) -> None:
    await publish(fake)
    fake.boards["foresail-gpu"].provisioned = True

    done = await publish(fake, (BOARDS[0], board("foresail-gpu", "GPUs")))
    assert results(done) == ["unchanged", "rejected"]
    assert "use one way only" in done[1].message


async def test_only_our_own_untouched_dashboards_are_deleted(fake: FakeGrafana) -> None:
    old, edited = board("foresail-old", "Old"), board("foresail-edited", "Edited")
    await publish(fake, (*BOARDS, old, edited))
    fake.save_by_hand("foresail-edited", "Mine")
    fake.boards["theirs"] = Stored({"uid": "theirs", "title": "Theirs", "tags": ["foresail"]}, "foresail", [""])
    copied = {**fake.boards["foresail-fleet"].body, "uid": "copy", "title": "Fleet copy"}
    fake.boards["copy"] = Stored(copied, "foresail", [""])

    done = await publish(fake)
    assert [(each.name, each.result) for each in done][2:] == [("foresail-old", "deleted")]
    assert set(fake.boards) == {"foresail-fleet", "foresail-gpu", "foresail-edited", "theirs", "copy"}


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_server_that_fails_is_unavailable_and_not_asked_on(fake: FakeGrafana, status: int) -> None:
    fake.status = status

    done = await publish(fake)
    assert [(each.name, each.result) for each in done] == [("foresail-fleet", "unavailable")]
    assert str(status) in done[0].message


async def test_a_slow_server_is_unavailable_in_time(fake: FakeGrafana) -> None:
    fake.delay_s = 30.0

    async with asyncio.timeout(5):
        done = await publish(fake, timeout_s=0.2)
    assert results(done) == ["unavailable"]
    assert "no answer within 0.2 s" in done[0].message


async def test_no_server_and_no_grafana_are_unavailable(fake: FakeGrafana) -> None:
    fake.html = True
    assert results(await publish(fake)) == ["unavailable"]
    nobody = FakeGrafana(url="http://127.0.0.1:9")
    assert results(await publish(nobody)) == ["unavailable"]


async def test_a_revoked_token_is_unavailable_and_a_new_one_in_the_file_is_taken(
    fake: FakeGrafana, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("glsa-old\n")
    access = GrafanaAccess(fake.url, token_file=token)
    publisher = GrafanaDashboards(access, lambda: BOARDS)

    done = await publisher.publish()
    assert results(done) == ["unavailable"]
    assert "put a new one in grafana_token_file" in done[0].message
    assert "glsa" not in done[0].message
    token.write_text(f"{TOKEN}\n")
    assert results(await publisher.publish()) == ["created", "created"]
    token.unlink()
    with pytest.raises(Unavailable, match="Grafana token file"):
        await publisher.publish()


async def test_no_token_at_all_is_told() -> None:
    with pytest.raises(Unavailable, match="FORESAIL_GRAFANA_TOKEN"):
        await GrafanaDashboards(GrafanaAccess("http://127.0.0.1:9"), lambda: BOARDS).publish()


def test_no_token_is_shown() -> None:
    assert "secret" not in repr(replace(GrafanaAccess("http://grafana"), token="secret"))

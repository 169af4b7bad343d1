"""What the doctor says of dashboards and rules that are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.adapters.grafana import GrafanaAccess, GrafanaDashboards
from controller.adapters.published_files import PublishedFiles
from controller.doctor import Finding, Severity
from controller.doctor.published import examine_published
from controller.publish import Content
from controller.settings import Settings
from tests.controller.adapters.grafana_server import TOKEN, grafana

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONTENT = Content()
BOARD = "foresail-fleet.json"


async def published(folder: Path) -> None:
    for name, files in (("dashboard_files", CONTENT.dashboard_files), ("rule_files", CONTENT.rule_files)):
        await PublishedFiles(name, folder, files).publish()


async def faults(folder: Path) -> list[Finding]:
    found = await examine_published(Settings(publish_dir=folder), CONTENT, "foresail")
    return [each for each in found if each.severity is not Severity.OK]


async def test_what_is_as_rendered_is_well(tmp_path: Path) -> None:
    await published(tmp_path)
    found = await examine_published(Settings(publish_dir=tmp_path), CONTENT, "foresail")
    assert [(each.severity, each.about) for each in found] == [
        (Severity.OK, "dashboard_files"),
        (Severity.OK, "rule_files"),
    ]
    assert found[0].message == "all 6 are as this version renders them"


async def test_a_dashboard_that_is_not_there(tmp_path: Path) -> None:
    await published(tmp_path)
    (tmp_path / BOARD).unlink()
    (told,) = await faults(tmp_path)
    assert (told.about, told.message) == (f"dashboard_files, {BOARD}", "is not there")
    assert "foresail dashboards publish" in told.mend
    assert not (tmp_path / BOARD).exists(), "nothing is written"


async def test_a_dashboard_that_a_person_changed(tmp_path: Path) -> None:
    await published(tmp_path)
    (tmp_path / BOARD).write_text("{}")
    (told,) = await faults(tmp_path)
    assert told.message.startswith("is not as published: ")
    assert "--force" in told.mend
    assert (tmp_path / BOARD).read_text() == "{}"


async def test_a_rule_file_that_nobody_wrote(tmp_path: Path) -> None:
    await published(tmp_path)
    name = next(iter(CONTENT.rule_files()))
    (tmp_path / name).unlink()
    (told,) = await faults(tmp_path)
    assert (told.about, told.message) == (f"rule_files, {name}", "is not there")
    assert "foresail alerts publish" in told.mend


async def test_in_grafana_one_that_a_person_changed_and_one_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORESAIL_GRAFANA_TOKEN", TOKEN)
    async with grafana() as server:
        await GrafanaDashboards(GrafanaAccess(server.url, token=TOKEN), CONTENT.dashboards).publish()
        server.save_by_hand("foresail-fleet", "My fleet")
        del server.boards["foresail-gpu"]
        server.writes.clear()
        found = await examine_published(Settings(grafana_url=server.url), CONTENT, "foresail")
        assert server.writes == []
    assert {each.about: each.message.partition(":")[0] for each in found} == {
        "grafana, foresail-fleet": "is not as published",
        "grafana, foresail-gpu": "is not there",
    }


async def test_a_grafana_that_takes_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORESAIL_GRAFANA_TOKEN", "wrong")
    async with grafana() as server:
        found = await examine_published(Settings(grafana_url=server.url), CONTENT, "foresail")
    assert {each.severity for each in found} == {Severity.ERROR}
    assert "grafana_token_file" in found[0].message


async def test_where_nothing_is_published_nothing_is_wrong() -> None:
    (told,) = await examine_published(Settings(), CONTENT, "foresail")
    assert told.severity is Severity.OK
    assert "by hand" in told.message

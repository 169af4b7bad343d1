"""The debug bundle by HTTP and by command: who gets it, what is in it, and that no secret is."""

from __future__ import annotations

import io
import json
import logging
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog

from controller.logging import configure
from controller.settings.values import Listen
from controller.web import Guard, Sessions, serving, web_app
from tests.controller.cli.shared import run
from tests.controller.web.running import TOKEN, running, staged
from tests.controller.web.test_actions import Rights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "/api/v1/debug-bundle"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SECRETS = ("db-pass-word", "hook-path-0815", "env-secret-4711", "query-token-99", "log-bearer-77", TOKEN)
MEMBERS = {
    *("version.json", "settings.json", "health.json", "journal.json", "log.jsonl", "interventions.json", "tick.json"),
    *("policies.json", "holds.json", "workloads.json", "signals.json", "workloads-in-full.jsonl", "metrics.txt"),
    "contents.json",
}


@pytest.fixture
def logged() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    configure("info", "json", io.StringIO())
    yield
    structlog.reset_defaults()
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(capture=False)


def opened(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {each.name.rpartition("/")[2]: archive.extractfile(each).read().decode() for each in archive}  # type: ignore[union-attr]  # all are files


@pytest.mark.usefixtures("logged")
async def test_it_tells_of_everything_and_no_secret(tmp_path: Path) -> None:
    annotations = {"example.com/last-applied": "env-secret-4711"}
    async with staged(tmp_path) as stage, aiohttp.ClientSession() as session:
        stage.settings = replace(
            stage.settings,
            journal_url="postgresql+asyncpg://foresail:db-pass-word@db/foresail",
            webhook_url="https://hooks.example/hook-path-0815",
        )
        stage.environ["SOME_API_KEY"] = "env-secret-4711"
        web = stage.rig.policies.policies[0]
        metadata = web.metadata.model_copy(update={"annotations": annotations})
        stage.rig.policies.policies[0] = web.model_copy(update={"metadata": metadata})
        await stage.tick()
        log = structlog.get_logger("foresail.test")
        log.warning("asked", err="GET http://p/api?token=query-token-99: Authorization: Bearer log-bearer-77", n=7)
        log.warning("said env-secret-4711")
        guard = Guard(Sessions(stage.rig.clock), stage.access)
        app = web_app(stage.views(), guard=guard, actions=stage.actions(), on_demand=stage.on_demand())
        async with (
            serving(app, Listen("127.0.0.1", 0)) as url,
            session.get(url + PATH, headers=BEARER) as answer,
        ):
            assert answer.status == 200
            assert answer.content_type == "application/gzip"
            named = answer.headers["Content-Disposition"]
            assert named == 'attachment; filename="foresail-debug-20231114T221405Z.tar.gz"'
            data = await answer.read()
    found = opened(data)
    assert set(found) == MEMBERS
    for name, text in found.items():
        assert not [secret for secret in SECRETS if secret in text], name
    assert set(json.loads(found["contents.json"]).values()) == {"whole"}
    settings = json.loads(found["settings.json"])
    assert settings["journal_url"] == {"value": "postgresql+asyncpg://***@db/foresail", "origin": ""}
    assert settings["listen"] == {"value": "127.0.0.1:9870", "origin": "default"}
    last = [json.loads(line) for line in found["log.jsonl"].splitlines()][-2:]
    assert last[0]["err"].startswith("GET http://p/api?token=***")
    assert (last[0]["n"], last[1]["event"]) == (7, "said ***")
    assert json.loads(found["policies.json"])[0]["metadata"] == {"name": "web", "namespace": "shop"}
    assert json.loads(found["journal.json"])["statistics"]["rows"]["ticks"] == 3
    assert [each["name"] for each in json.loads(found["workloads.json"])["items"]] == ["api", "web"]
    assert "aiohttp" in json.loads(found["version.json"])["packages"]


async def test_it_is_for_who_may_act_on_all(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(stage.url + PATH) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        async with session.post(f"{stage.url}/api/v1/session", json={"token": TOKEN}) as answer:
            assert answer.status == 201
        async with session.get(stage.url + PATH) as answer:
            assert answer.status == 200
        tmp_path.joinpath("tokens").write_text("anna another-token-of-anna\n")
        async with session.get(stage.url + PATH) as answer:
            assert answer.status == 401  # whose token was revoked has a session no longer


async def test_who_may_not_act_gets_none(tmp_path: Path) -> None:
    rights = Rights(denied="Kubernetes does not let them update all policies")
    async with staged(tmp_path, access=rights) as stage, aiohttp.ClientSession() as session:
        async with session.get(stage.url + PATH, headers={"Authorization": f"Bearer {'t' * 20}"}) as answer:
            assert answer.status == 403
            assert rights.denied is not None
            assert rights.denied in (await answer.json(content_type=None))["detail"]
        assert rights.asked == [None]


def test_the_command_saves_it_for_its_owner_alone(tmp_path: Path) -> None:
    out, token = tmp_path / "bundle.tar.gz", tmp_path / "token"
    token.write_text(TOKEN)
    with running(tmp_path) as stage:
        done = run("debug-bundle", "--out", str(out), "--url", stage.url, "--token-file", str(token))
        assert done.exit_code == 0, done.stderr
        assert "contents.json in it tells what is cut" in done.stderr
        assert out.stat().st_mode & 0o777 == 0o600
        assert set(opened(out.read_bytes())) == MEMBERS
        refused = run("debug-bundle", "--out", str(out), "--url", stage.url)
        assert (refused.exit_code, "a token is needed" in refused.stderr) == (1, True)

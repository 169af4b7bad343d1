"""The archive of a debug bundle: what is in it, its bounds, and that no known secret is."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from controller import bundle as bundles
from controller.bundle import Member, bundle
from controller.bundle.secrets import known_secrets
from controller.redaction import clean
from controller.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-and-more"


def opened(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {
            member.name.removeprefix("foresail-debug/"): (
                file.read().decode() if (file := archive.extractfile(member)) else ""
            )
            for member in archive
        }


def test_members_are_redacted_and_listed() -> None:
    found = opened(bundle([Member("log.jsonl", lambda: f"token={SECRET}\nfine\n")], (), at_s=0.0))
    assert found["log.jsonl"] == "token=***\nfine\n"
    assert json.loads(found["contents.json"]) == {"log.jsonl": "whole"}


def test_a_known_secret_is_taken_out_where_nothing_around_it_tells() -> None:
    found = opened(bundle([Member("a", lambda: f"it said {SECRET}!")], [SECRET], at_s=0.0))
    assert found["a"] == "it said ***!"


def test_a_member_in_which_a_secret_is_left_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look does not trust what took the secrets out."""
    monkeypatch.setattr(bundles, "redacted", lambda text, _secrets: text)
    members = [Member("bad", lambda: f"x {SECRET} y"), Member("good", lambda: "fine")]
    found = opened(bundle(members, [SECRET], at_s=0.0))
    assert "bad" not in found
    assert found["good"] == "fine"
    assert "left out" in json.loads(found["contents.json"])["bad"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SECRET, id="plain"),
        pytest.param("a%2Fb%3Fc%3D1", id="in-a-url"),
        pytest.param(base64.b64encode(b"a/b?c=1").decode(), id="base64"),
    ],
)
def test_the_last_look_knows_the_spellings(text: str) -> None:
    assert not clean(f"before {text} after".encode(), [SECRET, "a/b?c=1"])
    assert clean(b"nothing of it", [SECRET, "a/b?c=1"])


def test_its_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "LARGEST_MEMBER", 10)
    monkeypatch.setattr(bundles, "LARGEST", 15)
    found = opened(bundle([Member(name, lambda: "0123456789ab") for name in "abc"], (), at_s=0.0))
    assert (found["a"], found["b"]) == ("0123456789", "01234")
    assert found["c"] == ""
    assert json.loads(found["contents.json"])["a"] == "cut: 12 bytes, of which the first 10 are here"


def test_the_secrets_of_settings_and_environment_are_known(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("bearer", "password", "key", "tokens", "grafana", "signing", "hook")}
    for name, file in files.items():
        file.write_text(f"{name}-secret\n")
    files["tokens"].write_text("# people\nanna annas-secret-token\n")
    files["key"].write_text("-----BEGIN PRIVATE KEY-----\nkey-secret\n-----END PRIVATE KEY-----\n")
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("users:\n- name: x\n  user: {token: kube-secret, client-key-data: a2V5}\n")
    settings = Settings(
        prometheus_bearer_token_file=files["bearer"],
        prometheus_password_file=files["password"],
        prometheus_client_key_file=files["key"],
        auth_token_file=files["tokens"],
        grafana_token_file=files["grafana"],
        webhook_secret_file=files["signing"],
        webhook_bearer_token_file=files["hook"],
        webhook_url="https://hooks.example/services/T0/B0/xyz?sig=hook-sig&key=hook-key",
        journal_url="postgresql+asyncpg://foresail:p%40ss-word@db/foresail?password=query-secret",
        kubeconfig=kubeconfig,
    )
    environ = {
        "FORESAIL_TOKEN": "env-secret",
        "PGPASSWORD": "pg-secret",
        "HTTPS_PROXY": "http://u:proxy-secret@proxy",
        "AUTH_ENABLED": "true",
        "TOKEN_FILE": "/etc/token",
        "HOME": "/root",
    }
    assert known_secrets(settings, environ) == {
        *("bearer-secret", "password-secret", "key-secret", "annas-secret-token", "grafana-secret"),
        *("signing-secret", "hook-secret", "services/T0/B0/xyz", "hook-sig", "hook-key", "p%40ss-word", "p@ss-word"),
        *("query-secret", "kube-secret", "a2V5", "env-secret", "pg-secret", "proxy-secret"),
    }


def test_files_that_are_not_there_hold_no_secret(tmp_path: Path) -> None:
    settings = Settings(prometheus_bearer_token_file=tmp_path / "none", kubeconfig=tmp_path / "none")
    assert known_secrets(settings, {}) == frozenset()

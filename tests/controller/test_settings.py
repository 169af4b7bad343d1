"""Settings: precedence, origins, every problem at once, and no password shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import Settings, SettingsError, catalogue, known_settings, load, without_password
from controller.settings.values import Listen


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "foresail.yaml"
    file.write_text("interval: 30s\ntick_deadline: 20s\nlog_level: debug\n")
    environ = {"FORESAIL_CONFIG": str(file), "FORESAIL_INTERVAL": "45s", "FORESAIL_LOG_LEVEL": "warning"}
    loaded = load({"log_level": "error", "log_format": None}, environ)
    assert (loaded.settings.interval_s, loaded.settings.tick_deadline_s) == (45.0, 20.0)
    assert (loaded.settings.log_level, loaded.settings.log_format) == ("error", "auto")
    assert loaded.origins["interval"] == "environment FORESAIL_INTERVAL"
    assert loaded.origins["tick_deadline"] == f"file {file}"
    assert loaded.origins["log_level"] == "flag --log-level"
    assert loaded.origins["log_format"] == "default"
    assert loaded.origins.keys() == known_settings().keys()


def test_defaults_stand_alone() -> None:
    settings = load({}, {}).settings
    assert settings.listen == Listen("127.0.0.1", 9870)
    assert settings.interval_s == 15.0
    assert settings.tick_deadline_s == 10.0
    assert settings.journal_retention_s == 14 * 86_400
    assert settings.journal_url == f"sqlite+aiosqlite:///{Path.home()}/.local/state/foresail/foresail.db"
    assert Settings() == settings


def test_every_default_parses_to_itself_when_written_out() -> None:
    given = {name: text for name, text in Settings().shown().items() if text}
    assert load(given, {}).settings == Settings()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        pytest.param("policies", "a,b.yaml", (Path("a"), Path("b.yaml")), id="paths-with-commas"),
        pytest.param("journal_url", "postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d", id="postgresql"),
        pytest.param("journal_url", "/var/x.db", "sqlite+aiosqlite:////var/x.db", id="sqlite-by-its-file"),
        pytest.param("journal_url", "sqlite:////var/x.db", "sqlite+aiosqlite:////var/x.db", id="sqlite"),
        pytest.param("removal_ratio", "10%", 0.1, id="per-cent"),
        pytest.param("removal_ratio", "0.2", 0.2, id="ratio-as-text"),
        pytest.param("listen", "[::1]:80", Listen("::1", 80), id="ipv6"),
        pytest.param("prometheus_url", "https://prom.example/p/", "https://prom.example/p", id="slash-at-the-end"),
        pytest.param("prometheus_insecure_skip_verify", "yes", True, id="yes"),
    ],
)
def test_reads(name: str, given: str, expected: object) -> None:
    assert getattr(load({}, {f"FORESAIL_{name.upper()}": given}).settings, name) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"interval": "15"}, "--interval: must be a duration such as", id="no-unit"),
        pytest.param({"interval": "0s"}, "--interval: must be above 0s", id="zero"),
        pytest.param({"interval": "10s", "tick_deadline": "11s"}, r"\(11s\) is above interval \(10s\)", id="deadline"),
        pytest.param({"listen": "9870"}, "--listen: must be HOST:PORT", id="no-host"),
        pytest.param({"listen": "localhost:99999"}, "--listen: must be HOST:PORT", id="no-such-port"),
        pytest.param({"removal_ratio": "10"}, "--removal-ratio: must be a share between 0 and 1", id="ten-times-all"),
        pytest.param({"prometheus_url": "prom:9090"}, "must be an http:// or https:// URL", id="no-scheme"),
        pytest.param({"prometheus_url": "http://u:p@prom"}, "must not hold a user or password", id="secret-in-url"),
        pytest.param(
            {"grafana_url": "https://grafana.example/g?orgId=2"},
            "--grafana-url: must have no .query and no #fragment; leave them out after grafana.example/g$",
            id="query-in-url",
        ),
        pytest.param({"dashboard_url": "https://g.example#top"}, "must have no .query", id="fragment-in-url"),
        pytest.param({"prometheus_concurrency": "many"}, "whole number of at least 1, not 'many'", id="not-a-number"),
        pytest.param({"journal_url": "mysql://h/d"}, "must be a file, sqlite:///FILE or postgresql", id="other-kind"),
        pytest.param({"journal_url": "sqlite://x.db"}, "three slashes", id="too-few-slashes"),
        pytest.param({"log_level": "warn"}, r"not 'warn' \(did you mean warning\?\)", id="nearest-word"),
        pytest.param({"intervall": "15s"}, r"is not a setting \(did you mean interval\?\)", id="unknown-flag"),
        pytest.param({"prometheus_username": "u"}, "prometheus_username and prometheus_password_file go", id="half"),
        pytest.param({"kubeconfig": 3}, "--kubeconfig: must be text, not 3", id="not-a-path"),
        pytest.param({"prometheus_insecure_skip_verify": "maybe"}, "must be true or false", id="not-a-truth"),
    ],
)
def test_refuses(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(given, {})


def test_tells_every_problem_at_once_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "foresail.yaml"
    file.write_text("prometheus_ulr: http://x\nlog_level: loud\n")
    with pytest.raises(SettingsError) as caught:
        load({"listen": "nowhere"}, {"FORESAIL_INTERVAL": "soon", "FORESAIL_INTERVALL": "1s"}, file)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        str(file),
        "FORESAIL_INTERVALL",
        str(file),
        "FORESAIL_INTERVAL",
        "--listen",
    ]
    assert "prometheus_ulr: is not a setting (did you mean prometheus_url?)" in str(caught.value)
    assert "FORESAIL_INTERVALL: is not a setting (did you mean FORESAIL_INTERVAL?)" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"- interval", "must be a mapping", id="a-list"),
        pytest.param(b"a: [", "is not YAML", id="broken"),
        pytest.param(b"\xff\xfe\x00", "cannot be read|is not YAML", id="binary"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "foresail.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        load({}, {}, file)
    with pytest.raises(SettingsError, match="cannot be read"):
        load({}, {}, tmp_path / "absent.yaml")


def test_paths_of_a_file_are_meant_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "foresail.yaml"
    file.write_text("policies: [policies, /etc/foresail]\nprometheus_ca_file: ca.pem\n")
    settings = load({}, {}, file).settings
    assert settings.policies == (tmp_path / "policies", Path("/etc/foresail"))
    assert settings.prometheus_ca_file == tmp_path / "ca.pem"


def test_passwords_are_not_shown() -> None:
    shown = load({"journal_url": "postgresql://me:hunter2@db:5432/foresail?password=hunter2"}, {}).settings.shown()
    assert shown["journal_url"] == "postgresql+asyncpg://me:***@db:5432/foresail?password=***"
    assert without_password("sqlite+aiosqlite:////var/foresail.db") == "sqlite+aiosqlite:////var/foresail.db"


def test_the_path_of_a_webhook_is_not_shown() -> None:
    shown = load({"webhook_url": "https://chat.example:8443/hooks/SECRET"}, {}).settings.shown()
    assert shown["webhook_url"] == "https://chat.example:8443/***"


def test_a_token_of_grafana_in_the_environment_is_no_setting_and_no_mistake() -> None:
    settings = load({}, {"FORESAIL_GRAFANA_TOKEN": "glsa"}).settings
    assert "glsa" not in repr(settings)


def test_settings_of_publishing_need_what_they_belong_to() -> None:
    given = {"publish_reload_url": "http://prom:9090", "grafana_token_file": "t", "webhook_secret_file": "s"}
    with pytest.raises(SettingsError) as refused:
        load(given, {})
    assert refused.value.problems == (
        "publish_reload_url needs publish_dir",
        "grafana_token_file needs grafana_url",
        "webhook_secret_file needs webhook_url",
    )


def test_the_catalogue_says_what_each_setting_means() -> None:
    listed = {each.name: each for each in catalogue()}
    assert listed["interval"].flag == "--interval"
    assert listed["tick_deadline"].variable == "FORESAIL_TICK_DEADLINE"
    assert all(each.help for each in listed.values())

"""How the process is set: flag, else FORESAIL_* in the environment, else the settings file, else a default."""

# ruff: noqa: RUF009 - `_setting` makes a field of the dataclass, as `dataclasses.field` does

from __future__ import annotations

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import yaml

from controller.settings import values
from controller.settings.values import Listen
from policies.problems import nearest
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from dataclasses import Field

PREFIX = "FORESAIL_"
DEFAULT = "default"

# Variables with our prefix that steer something else.
NOT_SETTINGS = frozenset({"config", "conformance_dir", "grafana_token", "require_servers", "token"})

LONGEST_ACTION_S = 7 * 86_400.0

_STATE_DIR = "~/.local/state/foresail"


def _setting(default: Any, parse: Callable[[object], Any], meaning: str) -> Any:  # noqa: ANN401 - as in dataclasses.field
    return field(default=default, metadata={"parse": parse, "help": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is set for the process, parsed. A name ending in ``_s`` is written without it, as a duration."""

    policies: tuple[Path, ...] = _setting((), values.paths, "files and folders with policies")
    state_dir: Path = _setting(Path(_STATE_DIR), values.path, "where the default journal lies")
    interval_s: float = _setting(15.0, values.duration_s, "how often to decide")
    tick_deadline_s: float = _setting(10.0, values.duration_s, "longest tick; two thirds of the interval unless set")
    prometheus_url: str = _setting("http://127.0.0.1:9090", values.http_url, "the Prometheus API")
    prometheus_bearer_token_file: Path | None = _setting(
        None, values.path, "its bearer token, read again when it changes"
    )
    prometheus_username: str | None = _setting(None, values.text, "its user")
    prometheus_password_file: Path | None = _setting(None, values.path, "its user's password")
    prometheus_ca_file: Path | None = _setting(None, values.path, "certificates that vouch for it")
    prometheus_client_cert_file: Path | None = _setting(None, values.path, "the certificate to show it")
    prometheus_client_key_file: Path | None = _setting(None, values.path, "the key of that certificate")
    prometheus_tenant: str | None = _setting(None, values.text, "sent as X-Scope-OrgID")
    prometheus_timeout_s: float = _setting(8.0, values.duration_s, "longest wait for one answer")
    prometheus_concurrency: int = _setting(8, values.positive, "requests under way at once")
    prometheus_query_budget: int = _setting(2000, values.positive, "requests to it in one tick at most")
    prometheus_insecure_skip_verify: bool = _setting(default=False, parse=values.truth, meaning="trust any certificate")
    kubeconfig: Path | None = _setting(None, values.path, "instead of KUBECONFIG, ~/.kube/config or the pod's account")
    context: str | None = _setting(None, values.text, "of the kubeconfig; its current one unless set")
    namespace: str | None = _setting(
        None, values.text, "where Foresail itself lives; its pod's namespace unless set, foresail outside of a pod"
    )
    kill_switch_file: Path | None = _setting(None, values.path, "while it exists, nothing is changed")
    kill_switch_configmap: str = _setting(
        "foresail-kill-switch",
        values.text,
        "in Foresail's namespace; while it has an enabled that is not false, nothing is changed",
    )
    journal_url: str = _setting(
        "", values.journal_url, "SQLite or PostgreSQL; foresail.db in the state folder unless set"
    )
    journal_retention_s: float = _setting(14 * 86_400.0, values.duration_s, "how long ticks and decisions are kept")
    removal_ratio: float = _setting(0.10, values.share, "share of the fleet's replicas that may go ...")
    removal_window_s: float = _setting(600.0, values.duration_s, "... in this time")
    nvml: bool = _setting(default=False, parse=values.truth, meaning="read this machine's own GPUs too, through NVML")
    runbook_url: str = _setting("docs/runbooks", values.text, "where browsers find the runbooks, for links to them")
    dashboard_url: str | None = _setting(
        None, values.http_url, "where browsers find Grafana, for links in alerts; a path on it unless set"
    )
    publish_interval_s: float = _setting(600.0, values.duration_s, "how often what is published is compared again")
    publish_dir: Path | None = _setting(
        None, values.path, "folder to keep dashboards and rules in as files, for provisioning"
    )
    publish_reload_url: str | None = _setting(
        None, values.http_url, "the Prometheus to tell when the rule files changed (/-/reload)"
    )
    publish_dashboards: str = _setting(
        "off", values.one_of("off", "configmap"), "dashboards in the cluster, for Grafana's sidecar: off, configmap"
    )
    publish_rules: str = _setting(
        "off",
        values.one_of("off", "configmap", "prometheusrule"),
        "rules in the cluster: off, configmap, prometheusrule",
    )
    publish_namespace: str | None = _setting(None, values.text, "where those are put; Foresail's own unless set")
    publish_release: str | None = _setting(
        None, values.text, "value of their label release, by which the Prometheus operator selects rules"
    )
    grafana_url: str | None = _setting(None, values.http_url, "the Grafana to publish dashboards to")
    grafana_token_file: Path | None = _setting(
        None, values.path, "token of a service account there, read again every time; else FORESAIL_GRAFANA_TOKEN has it"
    )
    grafana_ca_file: Path | None = _setting(None, values.path, "certificates that vouch for it")
    grafana_organization: int | None = _setting(None, values.positive, "its organization; the token's unless set")
    grafana_folder: str = _setting("foresail", values.text, "uid of the folder, which is made where it is missing")
    webhook_url: str | None = _setting(None, values.http_url, "told of decisions, holds and refusals, as JSON by POST")
    webhook_secret_file: Path | None = _setting(None, values.path, "secret to sign those with (HMAC-SHA256)")
    webhook_bearer_token_file: Path | None = _setting(None, values.path, "its bearer token")
    webhook_ca_file: Path | None = _setting(None, values.path, "certificates that vouch for it")
    listen: Listen = _setting(Listen("127.0.0.1", 9870), values.listen, "address of /metrics, the probes and the API")
    auth_token_file: Path | None = _setting(
        None, values.path, "who may act through the API: a line with a name and a token for each"
    )
    auth_kubernetes: bool = _setting(
        default=False, parse=values.truth, meaning="let the Kubernetes API server say who may act through the API"
    )
    auth_reading: str = _setting("open", values.one_of("open", "closed"), "closed: the API is read with a token only")
    metrics_api_listen: Listen = _setting(
        Listen("127.0.0.1", 9872), values.listen, "address of foresail metrics-api, over TLS"
    )
    metrics_api_cert_file: Path | None = _setting(
        None, values.path, "the certificate that it shows, read again when it changes"
    )
    metrics_api_key_file: Path | None = _setting(None, values.path, "the key of that certificate")
    metrics_api_client_ca_file: Path | None = _setting(
        None, values.path, "the authority of the API server's front proxy; what the API server says unless set"
    )
    metrics_api_daemon_url: str = _setting("http://127.0.0.1:9870", values.http_url, "the daemon that it reads")
    metrics_api_daemon_token_file: Path | None = _setting(
        None, values.path, "a token for that, where reading is closed (auth_reading)"
    )
    action_longest_s: float = _setting(86_400.0, values.duration_s, "longest pause or override, 7d at most")
    log_level: str = _setting("info", values.one_of("debug", "info", "warning", "error"), "least level that is logged")
    log_format: str = _setting("auto", values.one_of("auto", "json", "console"), "auto: console on a terminal")

    def __post_init__(self) -> None:
        """Make the state folder absolute and give the journal its default place in it."""
        object.__setattr__(self, "state_dir", self.state_dir.expanduser())
        if not self.journal_url:
            object.__setattr__(self, "journal_url", f"sqlite+aiosqlite:///{self.state_dir.resolve() / 'foresail.db'}")

    def shown(self) -> dict[str, str]:
        """Every setting by name as text, without passwords."""
        return {name: _shown(name, getattr(self, each.name)) for name, each in known_settings().items()}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each comes from: ``flag --x``, ``environment FORESAIL_X``, ``file PATH`` or ``default``."""

    settings: Settings
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the command line and the documentation know it."""

    name: str
    help: str
    default: object

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """How it is written in the environment."""
        return _variable(self.name)


class SettingsError(ValueError):
    """Settings that cannot be used, with all their problems; its text has one problem a line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Hold the problems."""
        self.problems = problems
        super().__init__("\n".join(problems))


def load(flags: Mapping[str, object], environ: Mapping[str, str], file: Path | None = None) -> Loaded:
    """Put settings together. A flag that is None was not given; FORESAIL_CONFIG names the file unless `file` does.

    Raises SettingsError with every problem found.
    """
    problems: list[str] = []
    named = file or (Path(environ[f"{PREFIX}CONFIG"]) if environ.get(f"{PREFIX}CONFIG") else None)
    found = dict(_from_file(named, problems)) if named else {}
    found |= _from_environment(environ, problems)
    found |= _from_flags(flags, problems)
    parsed = dict(_parsed(found, problems))
    if "tick_deadline" not in found and "interval_s" in parsed:
        parsed["tick_deadline_s"] = parsed["interval_s"] * 2 / 3
    if problems:
        raise SettingsError(tuple(problems))
    settings = Settings(**parsed)
    if conflicts := tuple(_conflicts(settings)):
        raise SettingsError(conflicts)
    return Loaded(settings, {name: found[name][1] if name in found else DEFAULT for name in known_settings()})


@cache
def known_settings() -> Mapping[str, Field[Any]]:
    """The fields of `Settings` by the names that users write."""
    return {each.name.removesuffix("_s"): each for each in fields(Settings)}


def catalogue() -> tuple[Setting, ...]:
    """Every setting with its meaning and default, in order."""
    return tuple(Setting(name, each.metadata["help"], each.default) for name, each in known_settings().items())


Found = dict[str, tuple[object, str]]  # by name: the value as given, and its origin


def _from_file(file: Path, problems: list[str]) -> Found:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return {}
    except yaml.YAMLError as error:
        problems.append(f"{file}: is not YAML: {error}")
        return {}
    if not isinstance(document, dict | None):
        problems.append(f"{file}: must be a mapping of settings")
        return {}
    given = {str(name): value for name, value in (document or {}).items()}
    problems += [f"{file}: {name}: {_unknown(name)}" for name in given if name not in known_settings()]
    origin = f"file {file}"
    return {name: (_beside(file, name, value), origin) for name, value in given.items() if name in known_settings()}


def _beside(file: Path, name: str, value: object) -> object:
    """Paths in a file are meant from its folder."""
    if known_settings()[name].metadata["parse"] is values.path and isinstance(value, str) and value:
        return file.parent / Path(value).expanduser()
    if name == "policies" and isinstance(value, str | list):
        items = value.split(",") if isinstance(value, str) else value
        return [file.parent / Path(item).expanduser() if isinstance(item, str) else item for item in items]
    return value


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> Found:
    ours = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    taken = {name: value for name, value in ours.items() if name in known_settings() and value}
    unknown = [name for name in ours if name not in known_settings() and name not in NOT_SETTINGS]
    problems += [
        f"{_variable(name)}: is not a setting (did you mean {_variable(guess)}?)"
        for name in unknown
        for guess in get_close_matches(name, known_settings(), n=1)
    ]
    return {name: (value, f"environment {_variable(name)}") for name, value in taken.items()}


def _from_flags(flags: Mapping[str, object], problems: list[str]) -> Found:
    given = {name: value for name, value in flags.items() if value is not None}
    problems += [f"--{name.replace('_', '-')}: {_unknown(name)}" for name in given if name not in known_settings()]
    return {
        name: (value, f"flag --{name.replace('_', '-')}") for name, value in given.items() if name in known_settings()
    }


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _unknown(name: str) -> str:
    return f"is not a setting{nearest(name, known_settings()) or '; see foresail run --help'}"


def _parsed(found: Found, problems: list[str]) -> Iterator[tuple[str, Any]]:
    for name, (value, origin) in found.items():
        setting = known_settings()[name]
        try:
            yield setting.name, setting.metadata["parse"](value)
        except ValueError as error:
            place = (
                origin.partition(" ")[2] if not origin.startswith("file ") else f"{origin.partition(' ')[2]}: {name}"
            )
            problems.append(f"{place}: {error}")


def _conflicts(settings: Settings) -> Iterator[str]:
    if settings.tick_deadline_s > settings.interval_s:
        deadline, interval = duration_text(settings.tick_deadline_s), duration_text(settings.interval_s)
        yield f"tick_deadline ({deadline}) is above interval ({interval})"
    for pair in _TOGETHER:
        if len({getattr(settings, name) is None for name in pair}) > 1:
            yield f"{' and '.join(pair)} go together; only one is set"
    if settings.prometheus_username and settings.prometheus_bearer_token_file:
        yield "prometheus_username and prometheus_bearer_token_file exclude each other"
    if settings.auth_reading == "closed" and not settings.auth_kubernetes and settings.auth_token_file is None:
        yield "auth_reading is closed, and nothing says who may read: set auth_token_file or auth_kubernetes"
    if settings.action_longest_s > LONGEST_ACTION_S:
        yield f"action_longest ({duration_text(settings.action_longest_s)}) is above 7d"
    if settings.prometheus_insecure_skip_verify and settings.prometheus_ca_file:
        yield "prometheus_insecure_skip_verify and prometheus_ca_file exclude each other"
    for name, needed in _NEEDS.items():
        if getattr(settings, name) and not getattr(settings, needed):
            yield f"{name} needs {needed}"


_TOGETHER = (
    ("prometheus_username", "prometheus_password_file"),
    ("prometheus_client_cert_file", "prometheus_client_key_file"),
    ("metrics_api_cert_file", "metrics_api_key_file"),
)
_NEEDS = {
    "publish_reload_url": "publish_dir",
    "grafana_token_file": "grafana_url",
    "grafana_ca_file": "grafana_url",
    "grafana_organization": "grafana_url",
    "webhook_secret_file": "webhook_url",
    "webhook_bearer_token_file": "webhook_url",
    "webhook_ca_file": "webhook_url",
}


def _shown(name: str, value: object) -> str:
    if name == "journal_url":
        return without_password(str(value))
    if name == "webhook_url" and value:  # receivers know their senders by its path
        return urlunsplit(urlsplit(str(value))._replace(path="/***", query=""))
    if isinstance(value, float) and f"{name}_s" == known_settings()[name].name:
        return duration_text(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def without_password(url: str) -> str:
    """A URL as it may be shown: passwords, in its authority or its query, are three stars."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    authority = parts.netloc
    if parts.password:
        user, host = authority.rpartition("@")[::2]
        authority = f"{user.partition(':')[0]}:***@{host}"
    query = [(key, "***" if "pass" in key.lower() else value) for key, value in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(netloc=authority, query=urlencode(query, safe="*")))

"""The secrets that this process knows: what its settings name, and what its environment holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.settings import Settings

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_WHOLE = (
    "prometheus_bearer_token_file",
    "prometheus_password_file",
    "grafana_token_file",
    "webhook_secret_file",
    "webhook_bearer_token_file",
)
_OF_USERS = ("token", "password", "client-key-data")
_LARGEST = 1_000_000
_VARIABLE = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|DSN", re.IGNORECASE)
_NO_SECRET = re.compile(r"^(?:true|false|yes|no|on|off|\d+|\.{0,2}/.*)$", re.IGNORECASE)


def known_secrets(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    """All of them, read anew; blocks. What cannot be read is not known, and is in no text either."""
    return frozenset(each.strip() for each in _known(settings, environ) if each.strip())


def _known(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    for name in _WHOLE:
        yield _text(getattr(settings, name))
    yield _text(_ACCOUNT)
    yield from _lines(settings.prometheus_client_key_file)
    for line in _text(settings.auth_token_file).splitlines():
        yield from () if line.lstrip().startswith("#") else line.split()[1:2]
    yield from _of_url(settings.journal_url)
    webhook = urlsplit(settings.webhook_url or "")  # receivers know their senders by its path
    yield from (webhook.path.strip("/"), *(value for _, value in parse_qsl(webhook.query)))
    for name, value in environ.items():
        if "://" in value:
            yield from _of_url(value)
        elif _VARIABLE.search(name) and not _NO_SECRET.match(value):
            yield value
    default = environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    for place in [settings.kubeconfig] if settings.kubeconfig else map(Path, default.split(":")):
        yield from _of_kubeconfig(_text(place))


def _of_url(url: str) -> Iterator[str]:
    """The password, and values in the query whose names speak of secrets."""
    parts = urlsplit(url)
    if parts.password:
        yield parts.password
        yield unquote(parts.password)
    yield from (value for name, value in parse_qsl(parts.query) if _VARIABLE.search(name))


def _of_kubeconfig(text: str) -> Iterator[str]:
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    users = found.get("users") if isinstance(found, dict) else None
    for each in users if isinstance(users, list) else []:
        user = each.get("user") if isinstance(each, dict) else None
        if isinstance(user, dict):
            yield from (str(user[name]) for name in _OF_USERS if user.get(name))


def _lines(file: Path | None) -> Iterator[str]:
    """The lines of a key, without those that begin and end it."""
    yield from (line for line in _text(file).splitlines() if not line.startswith("-----"))


def _text(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_LARGEST)
    except OSError:
        return ""

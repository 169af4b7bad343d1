"""Prometheus: whether it answers, its version and clock, what it scrapes of Foresail, and the rules it has loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from alerts.catalogue import alerts
from controller.clients.http import HttpClient, TooLarge
from controller.doctor.finding import Finding, Severity, well
from controller.errors import ForesailError
from policies.signals import BUILD, RECOMMENDED_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from controller.clients.http import HttpAccess

SKEW_WARNS_S, SKEW_FAILS_S = 2.0, 5.0  # a sample 5 s ahead of our clock is not believed

_CHECK, _RULES = "prometheus", "rules"
_MOST_BYTES = 64 * 1024 * 1024
_HTTP_OK = 200
_HELD = "Without it no signal is fresh: workloads are held or raised by what is known, and none is lowered."
_ALIAS = f'count({RECOMMENDED_REPLICAS.name}{{exported_namespace!=""}})'


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus at its address."""

    client: HttpClient
    timeout_s: float

    async def examine(self) -> list[Finding]:
        """Everything about it; only that it does not answer, where it does not."""
        url = self.client.access.url
        try:
            skew_s, told = await self._asked("api/v1/query?query=vector(1)")
        except ForesailError as error:
            mend = (
                "Name the right address with --prometheus-url, and its credentials with the other --prometheus flags;"
                " see that a NetworkPolicy lets Foresail reach it."
            )
            return [Finding(_CHECK, Severity.ERROR, url, f"does not answer: {error}", _HELD, mend)]
        del told
        return [await self._version(), _clock(url, skew_s), *await self._scrape(), *await self._rules()]

    async def _version(self) -> Finding:
        url = self.client.access.url
        try:
            _, told = await self._asked("api/v1/status/buildinfo")
            return well(_CHECK, url, f"answers; version {told['version']}")
        except (ForesailError, KeyError, TypeError):
            return well(_CHECK, url, "answers; it does not tell its version")

    async def _scrape(self) -> list[Finding]:
        """Whether Foresail's own metrics are there, under their own labels."""
        if not await self._value(f"count({BUILD.name})"):
            return [
                Finding(
                    _CHECK,
                    Severity.WARNING,
                    BUILD.name,
                    "is not in this Prometheus: Foresail is not scraped, or does not run",
                    "Its dashboards stay empty and its alerts silent; what it decides does not depend on it.",
                    "Add a scrape job or a ServiceMonitor for Foresail's /metrics, with honorLabels: true.",
                )
            ]
        if await self._value(_ALIAS):
            return [
                Finding(
                    _CHECK,
                    Severity.ERROR,
                    RECOMMENDED_REPLICAS.name,
                    "has its labels as exported_namespace: they were overwritten at the scrape",
                    "Dashboards, alerts and an HPA in mode floor look for the label namespace, and find nothing.",
                    "Set honor_labels: true on the scrape job (honorLabels: true on the ServiceMonitor).",
                )
            ]
        return [well(_CHECK, BUILD.name, "is scraped")]

    async def _rules(self) -> list[Finding]:
        try:
            _, told = await self._asked("api/v1/rules")
            rules = [rule for group in told["groups"] for rule in group["rules"]]
            _, receivers = await self._asked("api/v1/alertmanagers")
        except (ForesailError, KeyError, TypeError) as error:
            return [
                Finding(
                    _RULES,
                    Severity.WARNING,
                    self.client.access.url,
                    f"does not tell its rules: {error}",
                    "Whether the alerts are loaded was not seen; with Thanos or Mimir the ruler is another server.",
                    "Ask the ruler for the groups of `foresail alerts render`.",
                )
            ]
        return [*_loaded(rules), *_receivers(receivers)]

    async def _value(self, query: str) -> float | None:
        _, told = await self._asked(f"api/v1/query?query={quote(query)}")
        result = told.get("result") or []
        return float(result[0]["value"][1]) if result else None

    async def _asked(self, path: str) -> tuple[float | None, Any]:
        """How far its clock is ahead, and `data`. Raises ForesailError when there is no such answer."""
        try:
            answer = await self.client.get(path, timeout_s=self.timeout_s, at_most=_MOST_BYTES)
        except TimeoutError as error:
            raise ForesailError(f"no answer within {self.timeout_s:g} s") from error
        except TooLarge as error:
            raise ForesailError(f"{path}: {error}") from error
        if answer.status != _HTTP_OK:
            words = answer.location or answer.body[:200].decode(errors="replace").strip()
            raise ForesailError(f"HTTP status {answer.status}: {words}")
        try:
            return answer.skew_s, json.loads(answer.body)["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise ForesailError(f"{path}: what answers has not the API of Prometheus") from error


async def examine_prometheus(access: HttpAccess) -> list[Finding]:
    """Look at the server that the settings name. Raises ForesailError when its credentials cannot be read."""
    async with HttpClient(access) as client:
        return await Server(client, access.timeout_s).examine()


def _clock(url: str, skew_s: float | None) -> Finding:
    if skew_s is None or abs(skew_s) <= SKEW_WARNS_S:
        return well("clocks", url, "agrees with this clock" if skew_s is not None else "does not tell its clock")
    ahead = f"is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this clock"
    severity = Severity.ERROR if abs(skew_s) > SKEW_FAILS_S else Severity.WARNING
    means = "Samples seem older than they are, or from the future; then they are stale, and nothing is lowered."
    return Finding("clocks", severity, url, ahead, means, "Let both machines follow NTP (chronyd, systemd-timesyncd).")


def _loaded(rules: Sequence[dict[str, Any]]) -> list[Finding]:
    ours = {alert.name for alert in alerts()}
    there = {rule["name"]: rule for rule in rules if rule.get("name") in ours}
    means = "What goes wrong wakes nobody."
    if not there:
        mend = "Load what `make generate` renders into alerts/: as rule file, ConfigMap or PrometheusRule."
        return [Finding(_RULES, Severity.WARNING, "alerts", "none of Foresail's rules is loaded", means, mend)]
    found = [
        Finding(_RULES, Severity.ERROR, name, f"fails: {rule.get('lastError') or rule['health']}", means, _MEND_RULE)
        for name, rule in there.items()
        if rule.get("health") == "err"
    ]
    if missing := sorted(ours - there.keys()):
        mend = "Load the rules of this version of Foresail again."
        told = f"{len(missing)} of {len(ours)} are not loaded: {_few(missing)}"
        found.append(Finding(_RULES, Severity.WARNING, "alerts", told, means, mend))
    return found or [well(_RULES, "alerts", f"all {len(ours)} are loaded")]


_MEND_RULE = "Load the rules of this version of Foresail again; where it stays, see the labels that the series have."


def _receivers(told: Any) -> list[Finding]:  # noqa: ANN401 - JSON
    active = told.get("activeAlertmanagers") if isinstance(told, dict) else None
    if active:
        return [well(_RULES, "alertmanager", f"{len(active)} take this Prometheus' alerts")]
    means = "Alerts fire and reach nobody."
    mend = "Name an Alertmanager in `alerting.alertmanagers` of Prometheus' configuration."
    return [Finding(_RULES, Severity.WARNING, "alertmanager", "Prometheus knows none", means, mend)]


def _few(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")

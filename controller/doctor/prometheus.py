"""Prometheus: whether it answers, its version and clock, what it scrapes of Foresail, and the rules it has loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from controller.clients.http import HttpClient, TooLarge
from controller.doctor.finding import Finding, Severity, well
from controller.doctor.rules import CHECK as _RULES
from controller.doctor.rules import Loaded, examine_receivers
from controller.errors import ForesailError
from policies.signals import BUILD, RECOMMENDED_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.clients.http import HttpAccess

SKEW_WARNS_S, SKEW_FAILS_S = 2.0, 5.0  # a sample 5 s ahead of our clock is not believed

_CHECK = "prometheus"
_MOST_BYTES = 64 * 1024 * 1024
_HTTP_OK = 200
_HELD = "Without it no signal is fresh: workloads are held or raised by what is known, and none is lowered."
_ALIAS = f'count({RECOMMENDED_REPLICAS.name}{{exported_namespace!=""}})'


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus at its address."""

    client: HttpClient
    timeout_s: float
    rules: Sequence[Mapping[str, Any]]  # the groups that are to be loaded

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
            found = await Loaded(told["groups"], self._laid_out).compared(self.rules)
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
        return [*found, examine_receivers(receivers)]

    async def _laid_out(self, query: str) -> str:
        """A query as this server writes it; as it is where the server does not lay out queries."""
        try:
            _, told = await self._asked(f"api/v1/format_query?query={quote(query)}")
        except ForesailError:
            return query
        return str(told)

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


async def examine_prometheus(access: HttpAccess, rules: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Look at the server that the settings name, and for these groups of rules.

    Raises ForesailError when its credentials cannot be read.
    """
    async with HttpClient(access) as client:
        return await Server(client, access.timeout_s, rules).examine()


def _clock(url: str, skew_s: float | None) -> Finding:
    if skew_s is None or abs(skew_s) <= SKEW_WARNS_S:
        return well("clocks", url, "agrees with this clock" if skew_s is not None else "does not tell its clock")
    ahead = f"is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this clock"
    severity = Severity.ERROR if abs(skew_s) > SKEW_FAILS_S else Severity.WARNING
    means = "Samples seem older than they are, or from the future; then they are stale, and nothing is lowered."
    return Finding("clocks", severity, url, ahead, means, "Let both machines follow NTP (chronyd, systemd-timesyncd).")

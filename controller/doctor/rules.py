"""The rules that a Prometheus has loaded, held against those of this version: lacking, of other text, left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.doctor.finding import Finding, Severity, well
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

CHECK = "rules"

_UNSEEN = "What goes wrong wakes nobody."
_AGAIN = "Load what `foresail alerts render` writes again, and remove the older file, ConfigMap or PrometheusRule."
_SILENT = "Load the rules of this version of Foresail again; where it stays, see the labels that the series have."
_TEXTS = ("summary", "description")  # annotations that do not depend on where links point to

Rule = Mapping[str, Any]  # as rule files have it: alert or record, expr, for, labels, annotations
_ByName = Mapping[str, Sequence[Rule]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a Prometheus answers to /api/v1/rules: its groups; `laid_out` has it lay out a query in its own way."""

    groups: Sequence[Mapping[str, Any]]
    laid_out: Callable[[str], Awaitable[str]]

    async def compared(self, wanted: Sequence[Mapping[str, Any]]) -> list[Finding]:
        """Findings about these groups of rules. Raises ForesailError."""
        rules = _by_name(rule for group in wanted for rule in group["rules"])
        ours = {str(group["name"]) for group in wanted}
        there = _by_name(
            rule
            for group in self.groups
            for rule in group["rules"]
            if rule["name"] in rules or group.get("name") in ours
        )
        if not rules.keys() & there.keys():
            mend = "Publish them (--publish-rules, --publish-dir), or load what `foresail alerts render` writes."
            return [_warning("none of Foresail's rules is loaded", _UNSEEN, mend)]
        found = [*_failing(there), *_lacking(rules, there)]
        found += _counted("older or changed", await self._differing(rules, there))
        found += _counted("not of this version", sorted(there.keys() - rules.keys()))
        twice = [name for name in rules if len(there.get(name, ())) > len(rules[name])]
        found += _counted("loaded more than once", twice)
        return found or [well(CHECK, "rules", f"all {len(rules)} are loaded as this version renders them")]

    async def _differing(self, rules: _ByName, there: _ByName) -> list[str]:
        return [
            name
            for name, wanted in rules.items()
            for found in there.get(name, ())
            if not any([await self._same(each, found) for each in wanted])
        ]

    async def _same(self, wanted: Rule, found: Rule) -> bool:
        told = found.get("annotations") or {}
        texts = all(told.get(key, "") == text for key, text in _texts(wanted).items())
        waits = "alert" not in wanted or found.get("duration", 0) == parse_duration_s(wanted.get("for", "0s"))
        return texts and waits and await self._same_query(wanted["expr"], str(found.get("query", "")))

    async def _same_query(self, wanted: str, found: str) -> bool:
        """By their letters, or as the server itself lays them out."""
        if _letters(wanted) == _letters(found):
            return True
        return await self.laid_out(wanted) == await self.laid_out(found)


def examine_receivers(told: Any) -> Finding:  # noqa: ANN401 - JSON
    """Whether alerts go anywhere, by what Prometheus answers to /api/v1/alertmanagers."""
    active = told.get("activeAlertmanagers") if isinstance(told, dict) else None
    if active:
        return well(CHECK, "alertmanager", f"{len(active)} take this Prometheus' alerts")
    mend = "Name an Alertmanager in `alerting.alertmanagers` of Prometheus' configuration."
    means = "Alerts fire and reach nobody."
    return Finding(CHECK, Severity.WARNING, "alertmanager", "Prometheus knows none", means, mend)


def _failing(there: _ByName) -> list[Finding]:
    return [
        Finding(CHECK, Severity.ERROR, name, f"fails: {rule.get('lastError') or rule['health']}", _UNSEEN, _SILENT)
        for name, rules in there.items()
        for rule in rules
        if rule.get("health") == "err"
    ]


def _lacking(rules: _ByName, there: _ByName) -> list[Finding]:
    missing = sorted(rules.keys() - there.keys())
    told = f"{len(missing)} of {len(rules)} are not loaded: {_few(missing)}"
    return [_warning(told, _UNSEEN, "Load the rules of this version of Foresail again.")] if missing else []


def _counted(told: str, names: Sequence[str]) -> list[Finding]:
    means = "Alerts tell of another version than the one that runs, or more than once."
    return [_warning(f"{told} ({len(names)}): {_few(names)}", means, _AGAIN)] if names else []


def _warning(message: str, means: str, mend: str) -> Finding:
    return Finding(CHECK, Severity.WARNING, "rules", message, means, mend)


def _by_name(rules: Iterable[Rule]) -> _ByName:
    """By name, as files (alert, record) and as servers (name) have it; one name may have several rules."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(str(rule.get("name") or rule.get("alert") or rule["record"]), []).append(rule)
    return found


def _texts(rule: Rule) -> dict[str, str]:
    annotations = rule.get("annotations") or {}
    return {key: str(annotations[key]) for key in _TEXTS if key in annotations}


def _letters(query: str) -> str:
    return "".join(query.split())


def _few(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")

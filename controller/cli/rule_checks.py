"""Checks of rule files: our own conventions, and promtool's judgement where it is installed."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_SEVERITIES = ("critical", "warning", "info", "none")
_ANNOTATIONS = ("summary", "description", "runbook_url")
_ALERT = re.compile(r"[A-Z][A-Za-z0-9]*")
_RECORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_DURATION = re.compile(r"(\d+(ms|[smhdwy]))+|0")
_FIELDS = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
_PROMTOOL_S = 60.0

Json = Mapping[str, Any]


def own_problems(files: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with rule files by their form and our conventions, one line each with its place."""
    groups: set[str] = set()
    alerts: dict[str, str] = {}
    for name, text in files.items():
        for place, group in _groups(name, text):
            if group is None:
                yield place
                continue
            title = str(group.get("name", ""))
            if not title or title in groups:
                yield f"{place}: name: {title!r} is {'the name of another group' if title else 'empty'}"
            groups.add(title)
            rules = group.get("rules")
            if not isinstance(rules, list) or not rules:
                yield f"{place}: rules: must be a list with at least one rule"
                continue
            for row, rule in enumerate(rules):
                yield from _rule_problems(f"{place}: rules[{row}]", rule, alerts)


def checked_by_promtool(files: Mapping[str, str], program: str = "promtool") -> tuple[str, ...] | None:
    """What `promtool check rules` finds, a line each; None where it is not installed."""
    found = shutil.which(program)
    if found is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        names = list(files)
        done = subprocess.run(  # noqa: S603 - the program that the user names, on our own files
            [found, "check", "rules", *names],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROMTOOL_S,
            cwd=folder,
        )
    if done.returncode == 0:
        return ()
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines()]
    return tuple(line for line in lines if line and not line.startswith(("Checking", "SUCCESS"))) or (
        "promtool failed",
    )


def _groups(name: str, text: str) -> Iterator[tuple[str, Json | None]]:
    """The groups of a file with their places; a problem in place of a group that is none."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"{name}: is not YAML: {' '.join(str(error).split())}", None
        return
    groups = document.get("groups") if isinstance(document, dict) else None
    if not isinstance(groups, list):
        yield f"{name}: groups: must be a list of groups", None
        return
    for row, group in enumerate(groups):
        place = f"{name}: groups[{row}]"
        yield (place, group) if isinstance(group, dict) else (f"{place}: must be a mapping", None)


def _rule_problems(place: str, rule: object, alerts: dict[str, str]) -> Iterator[str]:
    if not isinstance(rule, dict):
        yield f"{place}: must be a mapping"
        return
    kinds = [kind for kind in ("alert", "record") if kind in rule]
    if len(kinds) != 1:
        yield f"{place}: must have either alert or record"
        return
    kind, name = kinds[0], str(rule[kinds[0]])
    place = f"{place} {name}"
    if unknown := sorted(rule.keys() - _FIELDS):
        yield f"{place}: {', '.join(unknown)}: no field of a rule"
    if not (_ALERT if kind == "alert" else _RECORD).fullmatch(name):
        yield f"{place}: {kind}: must be {'CamelCase' if kind == 'alert' else 'a name of a metric'}"
    if not str(rule.get("expr") or "").strip():
        yield f"{place}: expr: must not be empty"
    for field in ("for", "keep_firing_for"):
        if field in rule and not _DURATION.fullmatch(str(rule[field])):
            yield f"{place}: {field}: {rule[field]!r} is no duration, such as 15m"
    if kind == "alert":
        yield from _alert_problems(place, name, rule, alerts)


def _alert_problems(place: str, name: str, rule: Json, alerts: dict[str, str]) -> Iterator[str]:
    labels, annotations = rule.get("labels") or {}, rule.get("annotations") or {}
    severity = labels.get("severity")
    if severity not in _SEVERITIES:
        yield f"{place}: labels.severity: is {severity!r}, must be one of {', '.join(_SEVERITIES)}"
    if alerts.setdefault(f"{name} {severity}", place) != place:
        yield f"{place}: alert: {alerts[f'{name} {severity}']} has the same name and severity"
    for annotation in _ANNOTATIONS:
        if not str(annotations.get(annotation) or "").strip():
            yield f"{place}: annotations.{annotation}: must not be empty"
    if "{{" in str(annotations.get("summary") or ""):
        yield f"{place}: annotations.summary: must hold no values; they belong in the description"

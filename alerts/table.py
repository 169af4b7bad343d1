"""The tables of docs/alerts.md, between marks in a text that people write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.catalogue import FILES, alerts
from alerts.inhibition import INHIBITIONS
from alerts.rule import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BEGIN, _END = "<!-- {}: rendered by `make generate` -->", "<!-- end of {} -->"


def written(text: str) -> str:
    """`text` with each table as it is now. Raises ValueError where a table's marks are missing."""
    for name, rows in {"alerts": _alerts(), "inhibition": _inhibition(), "needs": _needs()}.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"docs/alerts.md: the lines {begin!r} and {end!r} must stand there once")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        text = before + "\n".join([begin, "", *rows, "", end]) + after
    return text


def _alerts() -> Iterator[str]:
    yield "| alert | severity | for | what it says |"
    yield "|---|---|---|---|"
    for group in (group for groups in FILES.values() for group in groups):
        for alert in group.rules:
            if isinstance(alert, Alert):
                yield f"| {_link(alert.name)} | {alert.severity} | {alert.wait} | {alert.summary} |"


def _inhibition() -> Iterator[str]:
    yield "| while this fires | these are not told | where these labels are equal |"
    yield "|---|---|---|"
    for each in INHIBITIONS:
        labels = ", ".join(f"`{label}`" for label in each.equal)
        yield f"| {each.cause} | {', '.join(each.follow)} | {labels} |"


def _needs() -> Iterator[str]:
    yield "| alert | fields |"
    yield "|---|---|"
    for alert in alerts():
        if alert.needs:
            yield f"| {alert.name} | {_code(alert.needs)} |"


def _link(name: str) -> str:
    return f"[{name}](runbooks/{name.lower()}.md)"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

"""The dashboards as Grafana gets them, taken apart for tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboards.catalogue import Document, documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCUMENTS = documents()
# What Grafana puts in before it asks: one namespace is chosen, and all of the rest.
FILLED_IN = {
    "$__rate_interval": "5m",
    "$__interval_ms": "60000",
    "$__interval": "1m",
    "$cluster": ".*",
    "$namespace": "shop",
    "$workload": ".*",
    "$horizon": "5m",
    "$node": ".*",
    "$gpu": ".*",
}


class Asked(NamedTuple):
    """One PromQL of one panel; the panel's id is 0 for an annotation."""

    uid: str
    panel: int
    title: str
    ref: str
    expr: str
    instant: bool


def panels_of(document: Document) -> Iterator[dict[str, Any]]:
    """Every panel, those in collapsed rows included, without the rows."""
    for panel in document.body["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def asked() -> list[Asked]:
    """Every PromQL of every panel and annotation."""
    of_panels = [
        Asked(document.uid, panel["id"], panel["title"], target["refId"], target["expr"], bool(target.get("instant")))
        for document in DOCUMENTS
        for panel in panels_of(document)
        for target in panel["targets"]
    ]
    of_annotations = [
        Asked(document.uid, 0, each["name"], "A", each["target"]["expr"], instant=False)
        for document in DOCUMENTS
        for each in document.body["annotations"]["list"]
    ]
    return of_panels + of_annotations


def filled_in(expr: str, values: Mapping[str, str] = FILLED_IN) -> str:
    """PromQL with the variables' values; fails the test where one has none."""
    for variable, value in values.items():
        expr = expr.replace(variable, value)
    assert not re.search(r"\$[a-z_]", expr), expr
    return expr


def metrics_in(expr: str) -> set[str]:
    """Names of the metrics that PromQL asks for: all our panels write them with matchers."""
    return set(re.findall(r"([a-zA-Z_:][\w:]*)\{", expr))

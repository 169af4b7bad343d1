"""Owns the witness of a query: when its raw series were last scraped, and from how many targets.

The answer to a `rate()` carries the time of asking and goes on for its whole range after the target died.
A plain selector follows staleness markers, so asking for its `timestamp()` tells what the answer hides.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from controller.adapters.prometheus.promql import selectors_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from controller.adapters.prometheus.decode import Samples
    from controller.records import SignalQuery

Key = tuple[str, ...]

TAG = "__witness__"
SCRAPED_FROM = ("job", "instance", "pod")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RELABELS = frozenset({"label_replace", "label_join"})


@dataclass(frozen=True, slots=True)
class Witness:
    """The PromQL that brings the witness of a query, and the labels that its answer is read by."""

    text: str
    labels: tuple[str, ...]
    selectors: int


@lru_cache(maxsize=8192)
def witness_of(query: SignalQuery) -> Witness | None:
    """The witness of a query; None where its freshness cannot be derived.

    That is so when a selector is moved in time (offset, @), with a subquery, without a selector, and when
    labels are rewritten (label_replace, label_join) that tell workloads apart.
    """
    seen = selectors_of(query.text)
    rewritten = bool(query.labels) and not seen.functions.isdisjoint(_RELABELS)
    if seen.shifted or seen.subquery or rewritten or not seen.texts:
        return None
    if query.either:
        return Witness(" or ".join(_parts(seen.texts, query.labels, 0)), (*query.labels, TAG), 1)
    parts = [part for number, text in enumerate(seen.texts) for part in _parts((text,), query.labels, number)]
    return Witness(" or ".join(parts), (*query.labels, TAG), len(seen.texts))


def witnessed(
    witness: Witness, samples: Samples, keys: Collection[Key]
) -> tuple[Mapping[Key, float], Mapping[Key, int]]:
    """What the witness says for these keys: wall time of the newest raw sample, and number of scrape targets.

    With several selectors the oldest of their newest times counts, and the smallest number of targets; selectors of
    which one suffices count as one. A key
    that one of the selectors lacks is absent: what that selector should have brought is not in the answer.
    """
    said = {(key[-1], key[:-1]): value for key, value in zip(samples.keys, samples.values, strict=True)}
    numbers = range(witness.selectors)
    known = [key for key in keys if all((_tag("newest", number), key) in said for number in numbers)]
    newest = {key: min(said[_tag("newest", number), key] for number in numbers) for key in known}
    targets = {key: int(min(said.get((_tag("targets", number), key), 0.0) for number in numbers)) for key in known}
    return newest, targets


def _parts(selectors: tuple[str, ...], labels: tuple[str, ...], number: int) -> tuple[str, str]:
    by = _listed(labels)
    each = _listed(tuple(dict.fromkeys((*labels, *SCRAPED_FROM))))
    newest = f"max by ({by}) ({' or '.join(f'timestamp({selector})' for selector in selectors)})"
    targets = f"count by ({by}) (count by ({each}) ({' or '.join(selectors)}))"
    return _tagged(newest, _tag("newest", number)), _tagged(targets, _tag("targets", number))


def _tagged(expression: str, tag: str) -> str:
    return f'label_replace({expression}, "{TAG}", "{tag}", "", "")'


def _tag(what: str, number: int) -> str:
    return f"{what}-{number}"


def _listed(labels: tuple[str, ...]) -> str:
    """Label names as PromQL writes them; Prometheus 3 takes any name in quotes."""
    return ", ".join(label if _PLAIN_LABEL.fullmatch(label) else json.dumps(label) for label in labels)

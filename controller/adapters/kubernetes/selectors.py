"""Label selectors, and an index that finds the selectors matching a pod without trying them all."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Labels = tuple[tuple[str, str], ...]  # sorted

K = TypeVar("K")

_REMEMBERED = 100_000  # distinct label sets; pods of a StatefulSet have one each

_SET = re.compile(r"\s*(?P<key>[^\s,!=()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*(?:,|$)")
_EQUAL = re.compile(r"\s*(?P<key>[^\s,!=()]+)\s*(?P<op>!=|==|=)\s*(?P<values>[^\s,!=()]*)\s*(?:,|$)")
_PRESENT = re.compile(r"\s*(?P<op>!?)\s*(?P<key>[^\s,!=()]+)\s*(?:,|$)")
_FORMS = (_SET, _EQUAL, _PRESENT)
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
_WRITTEN = {"in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", "!": "absent", "": "exists"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: the label is among `values` (in), is not or is missing (notin), exists, or is absent."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy the term."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case _:
                return value is None


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that must all hold. One without terms selects nothing: no scale of a workload means every pod."""

    terms: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every term."""
        return bool(self.terms) and all(term.matches(labels) for term in self.terms)


def parse_selector(text: str) -> Selector:
    """Parse a selector as `status.selector` of a scale has it: ``app=web,tier in (a, b),!canary``.

    Raises:
        ValueError: not a selector.
    """
    terms, at = [], 0
    while at < len(text):
        found = next((hit for form in _FORMS if (hit := form.match(text, at))), None)
        if found is None:
            raise ValueError(f"not a label selector: {text!r}")
        values = found.groupdict().get("values")
        among = frozenset(value.strip() for value in values.split(",")) if values is not None else frozenset()
        terms.append(Requirement(found["key"], _WRITTEN[found["op"]], among))
        at = found.end()
    return Selector(tuple(terms))


def selector_of(given: Mapping[str, object]) -> Selector:
    """Read a LabelSelector with `matchLabels` and `matchExpressions`.

    Raises:
        KeyError: an operator that Kubernetes does not have.
    """
    equal = given.get("matchLabels") or {}
    rules = given.get("matchExpressions") or ()
    terms = equal_terms(equal if isinstance(equal, dict) else {})
    if isinstance(rules, list):
        terms += tuple(
            Requirement(rule["key"], _OPERATORS[rule["operator"]], frozenset(rule.get("values") or ()))
            for rule in rules
        )
    return Selector(terms)


def equal_terms(labels: Mapping[str, str]) -> tuple[Requirement, ...]:
    """The terms that ask for exactly these labels."""
    return tuple(Requirement(key, "in", frozenset((value,))) for key, value in sorted(labels.items()))


@dataclass(slots=True)
class SelectorIndex(Generic[K]):
    """Finds whose selectors match a pod's labels.

    Each selector is filed under one of its equality terms, the one that the fewest selectors share, so that a pod
    is compared only with selectors that agree with it in their rarest label. Answers are remembered by labels,
    which the pods of a workload share.
    """

    selectors: Mapping[K, Selector]
    _filed: dict[tuple[str, str], list[K]] = field(init=False)
    _general: list[K] = field(init=False, default_factory=list)
    _known: dict[Labels, Sequence[K]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        shared = Counter(pair for selector in self.selectors.values() for pair in _pairs(selector))
        self._filed = defaultdict(list)
        for key, selector in self.selectors.items():
            rarest = min(_choices(selector), key=lambda pairs: sum(shared[pair] for pair in pairs), default=None)
            if rarest is None:
                self._general.append(key)
            for pair in rarest or ():
                self._filed[pair].append(key)

    def matching(self, labels: Labels) -> Sequence[K]:
        """Whose selectors match these labels."""
        known = self._known.get(labels)
        if known is None:
            by_key = dict(labels)
            known = tuple(key for key in self.candidates(labels) if self.selectors[key].matches(by_key))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[labels] = known
        return known

    def candidates(self, labels: Labels) -> list[K]:
        """Whose selectors are compared with these labels."""
        return [key for pair in labels for key in self._filed.get(pair, ())] + self._general


def _choices(selector: Selector) -> list[list[tuple[str, str]]]:
    """By equality term, the labels under which it can be filed."""
    return [[(term.key, value) for value in term.values] for term in selector.terms if term.operator == "in"]


def _pairs(selector: Selector) -> list[tuple[str, str]]:
    return [pair for pairs in _choices(selector) for pair in pairs]

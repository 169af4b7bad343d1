"""What a sweep varies: `--vary PATH=VALUE,VALUE` as a path and values, set in a document before it is validated."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from policies.problems import nearest, path_text
from policies.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.problems import Location

Scalar: TypeAlias = str | int | float | bool | None
Document: TypeAlias = dict[str, Any]  # a scenario as YAML gave it

_STEP = re.compile(
    r"(?:^|\.)(?P<name>[^.\[\]\"'=\s]+)|\[(?P<index>\d+)\]|\[(?P<quote>[\"'])(?P<quoted>.+?)(?P=quote)\]"
)
_FORM = "PATH=VALUE,VALUE, as in 'policies[0].objective.late=0.1%,1%'"


class VaryError(ValueError):
    """A `--vary` that cannot be used; the message says where, what is there and what to write instead."""


@dataclass(frozen=True, slots=True)
class Vary:
    """One place in a scenario and the values it takes in turn, as YAML reads them."""

    path: Location
    values: tuple[Scalar, ...]

    @property
    def name(self) -> str:
        """The path as YAML has it."""
        return path_text(self.path)

    @classmethod
    def parse(cls, text: str) -> Vary:
        """Read ``policies[0].objective.late=0.1%,1%,5%``; a key that holds dots stands as ``["a.b"]``.

        Raises VaryError.
        """
        where, equals, listed = _split(text)
        if not equals or not where:
            raise VaryError(f"must be {_FORM}, not {shown(text)}")
        return cls(_path(where), _values(where, listed))


@dataclass(frozen=True, slots=True)
class Variant:
    """A scenario with one value in each varied place: the places by name, and the whole document."""

    varied: tuple[tuple[str, Scalar], ...]
    document: Document

    @property
    def label(self) -> str:
        """The varied places and their values: ``late=1%, replicas=3``; the document as it is has none."""
        return ", ".join(f"{name}={scalar_text(value)}" for name, value in self.varied)


def variants_of(document: Document, varied: Sequence[Vary]) -> list[Variant]:
    """Every combination of the values, the first place the slowest; the document itself where nothing varies.

    Raises VaryError for places that are not in the document, and for places that overlap.
    """
    _refuse_overlap(varied)
    variants = []
    for values in product(*(each.values for each in varied)):
        made = deepcopy(document)
        for each, value in zip(varied, values, strict=True):
            _put(made, each.path, value)
        variants.append(Variant(tuple((each.name, value) for each, value in zip(varied, values, strict=True)), made))
    return variants


def scalar_text(value: Scalar) -> str:
    """A value as YAML writes it."""
    return value if isinstance(value, str) else yaml.safe_dump(value, explicit_end=False).split("\n", 1)[0]


def _split(text: str) -> tuple[str, str, str]:
    """At the first equals sign that stands in no quotes."""
    quote = ""
    for place, sign in enumerate(text):
        if sign == "=" and not quote:
            return text[:place].strip(), sign, text[place + 1 :]
        if sign in "\"'":
            quote = "" if sign == quote else quote or sign
    return text, "", ""


def _path(text: str) -> Location:
    steps: list[int | str] = []
    end = 0
    while end < len(text):
        found = _STEP.match(text, end)
        if found is None:
            raise VaryError(f"the path {shown(text)} cannot be read from {shown(text[end:])} on; write {_FORM}")
        steps.append(int(found["index"]) if found["index"] else found["quoted"] or found["name"])
        end = found.end()
    return tuple(steps)


def _values(where: str, listed: str) -> tuple[Scalar, ...]:
    try:
        values = yaml.safe_load(f"[{listed}]")
    except yaml.YAMLError as error:
        raise VaryError(f"{where}: {shown(listed)} is no list of YAML values; quote what holds : # or [") from error
    if not isinstance(values, list) or not values:
        raise VaryError(f"{where}: needs at least one value; write {_FORM}")
    for place, value in enumerate(values):
        if isinstance(value, list | dict):
            raise VaryError(f"{where}: must be single values, not {shown(value)}; vary a field inside it")
        if any(value == other and type(value) is type(other) for other in values[:place]):
            raise VaryError(f"{where}: has {shown(value)} twice")
    return tuple(values)


def _refuse_overlap(varied: Sequence[Vary]) -> None:
    for place, each in enumerate(varied):
        for other in varied[:place]:
            shorter, longer = sorted((each.path, other.path), key=len)
            if longer[: len(shorter)] == shorter:
                raise VaryError(f"{each.name} and {other.name} vary the same place; put all values into one --vary")


def _put(document: Document, path: Location, value: Scalar) -> None:
    """Set one place. What is missing on the way becomes mappings; entries of lists have to be there."""
    here: Any = document
    for depth, step in enumerate(path):
        _check_step(here, path[:depth], step)
        if depth == len(path) - 1:
            here[step] = value
        elif isinstance(here, list):
            here = here[int(step)]
        else:
            if here.get(step) is None:
                _check_new(path, depth, here)
                here[step] = {}
            here = here[step]


def _check_step(here: object, above: Location, step: int | str) -> None:
    place = path_text(above) or "the scenario"
    match here, step:
        case list(), int() if step < len(here):
            return
        case list(), int():
            raise VaryError(f"{path_text((*above, step))}: is not there; {place} has {_entries(here)}")
        case list(), str():
            raise VaryError(f"{place}: is a list; write {place}[0] to {place}[{len(here) - 1}], not .{step}")
        case dict(), str():
            return
        case dict(), int():
            raise VaryError(f"{place}: is a mapping with {_keys(here)}, no list; write {place}.FIELD, not [{step}]")
        case _:
            raise VaryError(f"{place}: is {shown(here)}, which has nothing inside; vary {place} itself")


def _check_new(path: Location, depth: int, here: dict[str, object]) -> None:
    """A list that is not there has no entries to vary."""
    if isinstance(path[depth + 1], int):
        place, guess = path_text(path[: depth + 1]), nearest(str(path[depth]), map(str, here))
        raise VaryError(f"{place}: is not in the scenario{guess}; it has {_keys(here)}")


def _entries(here: list[object]) -> str:
    return "no entries" if not here else f"{len(here)} {'entry' if len(here) == 1 else 'entries'}, counted from 0"


def _keys(here: dict[str, object]) -> str:
    return ", ".join(map(str, here)) or "no fields"

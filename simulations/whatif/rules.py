"""What the fields of a scenario must look like, and which of them must agree with each other."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictInt, StrictStr, WithJsonSchema

from policies.checks import duration_within, matching
from policies.problems import Location, Rule, either
from policies.quantities import DurationS, parse_amount

Found = Iterator[tuple[Location, str]]

Name = Annotated[
    StrictStr,
    matching(r"[A-Za-z0-9]([-_.:+%/ A-Za-z0-9]*[A-Za-z0-9%])?", "a name of letters, digits and -_.:+%/", longest=100),
]
SomeDuration = Annotated[DurationS, duration_within(1, 366 * 86_400.0)]
Whole = Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]


def _positive(given: object) -> float:
    number = parse_amount(given)
    if number <= 0:
        raise ValueError(f"must be above 0, not {number:g}")
    return number


Positive = Annotated[float, BeforeValidator(_positive), WithJsonSchema({"type": "number", "format": "number above 0"})]


def one_of(*names: str) -> Rule:
    """Find fewer or more than one of these fields."""

    def rule(given: Mapping[str, object]) -> Found:
        present = [name for name in names if given.get(name) is not None]
        if len(present) != 1:
            has = " and ".join(present) or "none"
            yield (), f"must have exactly one of {either(names)}, not {has}"

    return rule


def unique(field: str) -> Rule:
    """Find entries of a list that share a name."""

    def rule(given: Mapping[str, object]) -> Found:
        first_with = dict[str, int]()
        for index, name in enumerate(each.get("name") for each in entries_of(given, field)):
            if isinstance(name, str) and first_with.setdefault(name, index) != index:
                yield (
                    (field, index, "name"),
                    f"{name!r} is already the name of {field}[{first_with[name]}]; give each its own",
                )

    return rule


def entries_of(given: Mapping[str, object], field: str) -> list[dict[str, object]]:
    """The entries of a list as they were written; one that is no mapping, which is told elsewhere, is empty."""
    entries = given.get(field)
    listed = entries if isinstance(entries, list | tuple) else ()
    return [each if isinstance(each, dict) else {} for each in listed]


def names_of(given: Mapping[str, object], field: str) -> list[str]:
    """The names of the entries of a list that have one."""
    return [str(each["name"]) for each in entries_of(given, field) if isinstance(each.get("name"), str)]


def as_many(field: str, count: int, what: str) -> Rule:
    """Find a list that has not so many entries."""

    def rule(given: Mapping[str, object]) -> Found:
        entries = given.get(field)
        if isinstance(entries, list | tuple) and len(entries) != count:
            yield (field,), f"must have {count} factors, {what}, not {len(entries)}"

    return rule

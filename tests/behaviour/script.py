"""Scripts of behaviour over time: load, faults and expectations as text, after Prometheus' promql test scripts.

A script is a file of lines; `#` begins a comment. First come the workloads, then what happens when, in any order:

    workload web replicas 10 max 50
    0m        load web 70
    10m..20m  load web 70 to 140
    15m       fault prometheus down
    15m..20m  expect web 10

A time is counted from the beginning. `FIRST..LAST` means every tick from the first to the last, both included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETUP = ("workload", "daily", "past", "begin", "breaker", "quota", "startup")  # lines without a time


class ScriptError(Exception):
    """A line that cannot be read, or an expectation that was not met."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it says, and when; `first_s` is below 0 for what is set up before the beginning."""

    place: str  # file:number
    text: str
    first_s: float
    last_s: float
    words: tuple[str, ...]

    @property
    def verb(self) -> str:
        """What is to be done."""
        return self.words[0]

    def wrong(self, why: str) -> ScriptError:
        """An error that names the line."""
        return ScriptError(f"{self.place}: {self.text}\n  {why}")


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number within bounds, as in `8..12`, `..12`, `8..` and `10`."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Between:
        """Raises ValueError for what is none."""
        low, dots, high = text.partition("..")
        if not dots:
            return cls(int(low), int(low))
        if not low and not high:
            raise ValueError(f"must have a bound, not {text!r}")
        return cls(int(low) if low else -float("inf"), int(high) if high else float("inf"))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def read(path: Path) -> tuple[Line, ...]:
    """The lines of a script. Raises ScriptError for one that cannot be read."""
    return tuple(parse(path.read_text(), path.name))


def parse(text: str, name: str) -> Iterator[Line]:
    """The lines of a script that is called `name`."""
    for number, row in enumerate(text.splitlines(), 1):
        plain = row.partition("#")[0].strip()
        if plain:
            yield _line(f"{name}:{number}", plain)


def _line(place: str, text: str) -> Line:
    head, *words = text.split()
    if head in SETUP:
        return Line(place, text, -1.0, -1.0, (head, *words))
    first, dots, last = head.partition("..")
    try:
        first_s = parse_duration_s(first)
        last_s = parse_duration_s(last) if dots else first_s
    except ValueError as error:
        raise ScriptError(f"{place}: {text}\n  begins with neither {', '.join(SETUP)} nor a time: {error}") from error
    if not words or last_s < first_s:
        raise ScriptError(f"{place}: {text}\n  {'ends before it begins' if words else 'says nothing'}")
    return Line(place, text, first_s, last_s, tuple(words))

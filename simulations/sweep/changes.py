"""What differs between two documents: every place with its value here and there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LONGEST = 60
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs: its path, and what stands there before and after, as text; None where nothing does."""

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.path}: {self.before or 'absent'} -> {self.after or 'absent'}"


def changes(before: object, after: object, path: str = "") -> Iterator[Change]:
    """Yield what differs between two plain YAML values, in their order; entries of lists that have names go by name."""
    if before == after:
        return
    match before, after:
        case dict(), dict():
            yield from _of_mappings(before, after, path)
        case list(), list() if (here := _by_name(before)) is not None and (there := _by_name(after)) is not None:
            yield from _of_mappings(here, there, path, form="{path}[{key}]")
        case list(), list() if len(before) == len(after):
            for place, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from changes(one, other, f"{path}[{place}]")
        case _:
            yield Change(path, _text(before), _text(after))


def _of_mappings(
    before: Mapping[str, object], after: Mapping[str, object], path: str, form: str = "{path}.{key}"
) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        place = form.format(path=path, key=key) if path else key
        yield from changes(before.get(key, _ABSENT), after.get(key, _ABSENT), place)


def _by_name(entries: Sequence[object]) -> dict[str, object] | None:
    """The entries of a list under their names; None where one has none, or two have the same."""
    named: dict[str, object] = {
        str(each["name"]): each for each in entries if isinstance(each, dict) and "name" in each
    }
    return named if len(named) == len(entries) else None


def _text(value: object) -> str | None:
    if value is _ABSENT:
        return None
    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    text = written.removesuffix("\n...\n").strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

"""What is wrong with a document: every problem at once, in plain words, each with its path."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from policies.quantities import shown

Location = tuple[int | str, ...]
Rule = Callable[[Mapping[str, object]], Iterator[tuple[Location, str]]]

_WORDED = "worded"
_MAPPING_KEY = "[key]"  # pydantic's last step to a mapping's key
_QUOTE_IT = " (YAML reads it so when it is not in quotes: quote it)"
_NOUNS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: the file or object it stands in, the YAML path, and what to do."""

    source: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.path, self.message) if part)


class PolicyError(ValueError):
    """Documents that cannot be used, with all their problems; its text has one problem a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Hold the problems in the order found."""
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Part(BaseModel):
    """A piece of a document: frozen, camelCase outside, no unknown fields, all its problems told at once.

    `rules` look at the mapping as given, so that two fields in conflict are told even when a third one is
    unreadable; `ignored` names fields that are accepted and dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)

    rules: ClassVar[tuple[Rule, ...]] = ()
    ignored: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="wrap")
    @classmethod
    def _with_every_problem(cls, given: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        taken = (
            {key: value for key, value in given.items() if key not in cls.ignored} if isinstance(given, dict) else given
        )
        found: list[InitErrorDetails] = []
        part: Self | None = None
        try:
            part = handler(taken)
        except ValidationError as error:
            found += [_worded(details, cls) for details in error.errors(include_url=False) if not _is_echo(details)]
        if isinstance(taken, dict):
            aliases: dict[str, str] = {name: field.alias or name for name, field in cls.model_fields.items()}
            written = {aliases.get(str(name), str(name)): _as_written(value) for name, value in taken.items()}
            found += [_details(message, at) for rule in cls.rules for at, message in rule(written)]
        if part is None or found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return part


def problems_of(error: ValidationError, *, source: str, tags: frozenset[str]) -> Iterator[Problem]:
    """Yield the problems of a failed `Part`, with paths as YAML has them.

    `tags` are the names of union members, which pydantic puts into its locations and no document has.
    """
    for details in error.errors(include_url=False):
        yield Problem(source, path_text(details["loc"], tags=tags), details["msg"])


def path_text(location: Location, *, tags: frozenset[str] = frozenset()) -> str:
    """Write a location as a YAML path: ``spec.signals[0].capacityPerReplica``."""
    path, after_index = "", False
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != _MAPPING_KEY and not (after_index and step in tags):
            path += f".{step}" if path else step
        after_index = isinstance(step, int)
    return path


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean X?)`` when a known word is close to this one, else an empty text."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""


def either(words: Iterable[str]) -> str:
    """Join words as a choice: ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _is_echo(details: ErrorDetails) -> bool:
    # A list whose entries all have problems counts as empty too; the entries' problems say enough.
    return details["type"] == "too_short" and bool(details["input"])


def _as_written(value: object) -> object:
    match value:
        case Part():
            return value.model_dump(by_alias=True)
        case list() | tuple():
            return [_as_written(entry) for entry in value]
        case _:
            return value


def _details(message: str, location: Location) -> InitErrorDetails:
    worded = PydanticCustomError(_WORDED, "{message}", {"message": message})
    return InitErrorDetails(type=worded, loc=location, input=None)


def _worded(details: ErrorDetails, part: type[BaseModel]) -> InitErrorDetails:
    location = details["loc"]
    if details["type"].startswith("union_tag"):
        location = (*location, "kind")
    message = details["msg"] if details["type"] == _WORDED else _message(details, part)
    return _details(message, location)


def _message(details: ErrorDetails, part: type[BaseModel]) -> str:
    kind, given, context = details["type"], details.get("input"), details.get("ctx", {})
    if kind in _NOUNS:
        return _not_a(_NOUNS[kind], given)
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"must be {words} {context[key]}, not {shown(given)}"
    plain: dict[str, Callable[[], str]] = {
        "missing": lambda: "is required",
        "extra_forbidden": lambda: _unknown_field(str(details["loc"][-1]), part),
        "literal_error": lambda: _not_one_of(context["expected"], given),
        "union_tag_invalid": lambda: _not_one_of(context["expected_tags"], context["tag"]),
        "union_tag_not_found": lambda: "is required: demand, pressure or late",
        "invalid_key": lambda: f"is a key that is not text{_QUOTE_IT}",
        "too_short": lambda: "must have at least one entry",
        "value_error": lambda: str(context["error"]),
    }
    return plain.get(kind, lambda: f"{details['msg'][:1].lower()}{details['msg'][1:]}")()


def _not_a(noun: str, given: object) -> str:
    quoting = _QUOTE_IT if noun == "text" and given is not None and not isinstance(given, dict | list) else ""
    return f"must be {noun}, not {shown(given)}{quoting}"


def _not_one_of(expected: str, given: object) -> str:
    words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    guess = nearest(given, words) if isinstance(given, str) else ""
    return f"must be {either(words)}, not {shown(given)}{guess}"


def _unknown_field(name: str, part: type[BaseModel]) -> str:
    known = [field.alias or name for name, field in part.model_fields.items()]
    guess = nearest(name, known) or f"; the fields are {', '.join(known)}"
    return f"is not a field here{guess}"

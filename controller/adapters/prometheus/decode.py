"""Reads Prometheus's JSON, keeping only the labels, times and numbers that are needed.

Each sample is reduced as soon as it is decoded. That bounds the memory of a large answer, and as it runs
Python code for every sample, a decoding thread lets the event loop in between.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Key = tuple[str, ...]

SHOWN_OF_AN_ERROR = 300
TOO_MUCH = ("too many", "exceed")  # how Prometheus, Thanos, Mimir and VictoriaMetrics word their limits
HISTOGRAMS = "native histograms in the answer were passed over: a signal is one number a series"


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer, in a code and in words. `too_much`: asking for less may help."""

    why: Why
    message: str
    too_much: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """An instant answer: keys as asked for, and values as served (may be NaN or infinite)."""

    keys: Sequence[Key]
    values: Sequence[float]
    warnings: tuple[str, ...] = ()


class Run(NamedTuple):
    """One series of a range: finite values and their wall times."""

    key: Key
    at_s: array[float]
    values: array[float]


class _Sample(NamedTuple):
    key: Key
    value: float | None  # None: a native histogram, or a range


def instant(body: bytes, labels: tuple[str, ...]) -> Samples | Failed:
    """Decode the answer to an instant query, keyed by the values of `labels`."""
    document = _document(body, _hook(labels, _one))
    if isinstance(document, Failed):
        return document
    kind, result, warnings = document
    if kind == "scalar":
        return _scalar(result, labels, warnings)
    if kind != "vector":
        return Failed(Why.BAD_QUERY, f"the query answers a {kind}; a signal is one number a series")
    samples = [one for one in result if isinstance(one, _Sample)]
    if len(samples) != len(result):
        return _garbage("a sample has no labels")
    kept = [one for one in samples if one.value is not None]
    told = warnings if len(kept) == len(samples) else (*warnings, HISTOGRAMS)
    return Samples([one.key for one in kept], [one.value for one in kept if one.value is not None], told)


def matrix(body: bytes, labels: tuple[str, ...]) -> list[Run] | Failed:
    """Decode the answer to a range query; points that are not finite are left out."""
    document = _document(body, _hook(labels, _run))
    if isinstance(document, Failed):
        return document
    kind, result, _ = document
    if kind != "matrix":
        return _garbage(f"a range query was answered with a {kind}")
    runs = [one for one in result if isinstance(one, Run)]
    return runs if len(runs) == len(result) else _garbage("a series has no labels")


_CREDENTIALS = "give a bearer token file, or a username and a password file"


def refusal(status: int, body: bytes) -> Failed:
    """Class an answer whose status is not 200."""
    kind, detail = _error_of(body)
    told = f"HTTP {status}" + (f", {kind}: {detail}" if detail else "")
    if status in (401, 403):
        return Failed(Why.SOURCE_DOWN, f"the credentials were refused ({told}); {_CREDENTIALS}")
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return Failed(Why.SOURCE_DOWN, f"the server asks for fewer queries ({told})")
    if kind in ("timeout", "canceled"):
        return Failed(Why.DEADLINE, f"the server gave the query up ({told})")
    if status in (400, 422) and detail:
        too_much = any(word in detail for word in TOO_MUCH)
        return Failed(Why.BAD_QUERY, f"the server refuses the query ({told})", too_much)
    if status == 404:  # noqa: PLR2004 - Not Found
        return Failed(Why.SOURCE_DOWN, f"there is no Prometheus API at this URL ({told})")
    return Failed(Why.SOURCE_DOWN, f"the server failed ({told})")


def _document(
    body: bytes, hook: Callable[[dict[str, object]], object]
) -> tuple[str, Sequence[object], tuple[str, ...]] | Failed:
    """Result type, result and warnings of a whole answer."""
    try:
        document = json.loads(body, object_hook=hook)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return _garbage(f"{len(body)} bytes, {error}")
    if not isinstance(document, dict) or not isinstance(answer := document.get("data"), dict):
        return _garbage("JSON of another kind")
    kind, result = answer.get("resultType"), answer.get("result")
    if document.get("status") != "success" or not isinstance(kind, str) or not isinstance(result, list):
        return _garbage("JSON of another kind")
    return kind, result, _warnings(document)


def _hook(
    labels: tuple[str, ...], reduced: Callable[[Key, dict[str, object]], object]
) -> Callable[[dict[str, object]], object]:
    """Reduce a sample or series; told from its own labels by its `metric` being an object, no text."""

    def hook(found: dict[str, object]) -> object:
        metric = found.get("metric")
        if not isinstance(metric, dict):
            return found
        return reduced(tuple([metric.get(label, "") for label in labels]), found)

    return hook


def _one(key: Key, found: dict[str, object]) -> _Sample:
    if "value" not in found and ("histogram" in found or "values" in found):
        return _Sample(key, None)
    _, value = _pair(found["value"])
    return _Sample(key, float(value))


def _run(key: Key, found: dict[str, object]) -> Run:
    run = Run(key, array("d"), array("d"))
    points = found.get("values", ())
    for point in points if isinstance(points, list) else ():
        at_s, served = _pair(point)
        value = float(served)
        if isfinite(value):
            run.at_s.append(float(at_s))
            run.values.append(value)
    return run


def _pair(point: object) -> tuple[float, str]:
    """A time and a number in text. Raises TypeError when it is something else."""
    if not isinstance(point, list) or len(point) != 2:  # noqa: PLR2004 - time and value
        raise TypeError("a point is not a time and a value")
    at_s, value = point
    if not isinstance(at_s, int | float) or not isinstance(value, str):
        raise TypeError("a point is not a time and a value in text")
    return at_s, value


def _scalar(result: Sequence[object], labels: tuple[str, ...], warnings: tuple[str, ...]) -> Samples | Failed:
    if labels:
        return Failed(Why.BAD_QUERY, f"the query answers one number without the labels {', '.join(labels)}")
    try:
        return Samples([()], [float(_pair(result)[1])], warnings)
    except (TypeError, ValueError) as error:
        return _garbage(str(error))


def _warnings(document: dict[str, object]) -> tuple[str, ...]:
    told = [document.get("warnings"), document.get("infos")]
    return tuple(str(line) for lines in told if isinstance(lines, list) for line in lines)


def _error_of(body: bytes) -> tuple[str, str]:
    """The kind of error and its text, as Prometheus words them; empty when somebody else answered."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(document, dict) or document.get("status") != "error":
        return "", ""
    return str(document.get("errorType", "")), str(document.get("error", ""))[:SHOWN_OF_AN_ERROR]


def _garbage(what: str) -> Failed:
    return Failed(Why.SOURCE_DOWN, f"the answer is not Prometheus's or is cut short ({what})")

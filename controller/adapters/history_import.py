"""A one-off read of history from Prometheus into a parquet file, through prometheus-api-client.

The library has no timeout of its own and reads a range in one piece; here it gets both, chunk by chunk.
"""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from controller.errors import ForesailError, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from controller.clients.http import HttpAccess

POINTS_PER_CHUNK = 11_000  # Prometheus's own limit for one series
SHOWN_OF_AN_ERROR = 300
_REFUSED = re.compile(r"HTTP Status Code (?P<status>\d+) \((?P<body>b['\"].*)\)$", re.DOTALL)
_ERRNO = re.compile(r"\[Errno -?\d+\] (?P<words>[^'\")]+)")

Labels = tuple[tuple[str, str], ...]
Chunk = tuple[int, int]  # wall times of its first and last point


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What to read: PromQL over whole seconds from `start_s` to `end_s`, both included, every `step_s`.

    Raises ForesailError when the span or the step cannot be read; prometheus-api-client knows whole seconds only.
    """

    text: str
    start_s: int
    end_s: int
    step_s: int

    def __post_init__(self) -> None:
        if self.step_s < 1 or self.end_s < self.start_s:
            raise ForesailError(
                f"history: step ({self.step_s} s) must be at least 1 s, and the end ({_shown(self.end_s)}) "
                f"not before the start ({_shown(self.start_s)})"
            )

    @property
    def points(self) -> int:
        """How many times are asked for."""
        return (self.end_s - self.start_s) // self.step_s + 1


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was read: series, finite points in all, and the share that they are of the points asked for, by series."""

    path: Path
    series: int
    points: int
    covered_ratio: float
    first_s: int  # wall time of the first and of the last point
    last_s: int
    not_finite: int  # points that were NaN or infinite, and left out
    labels: tuple[str, ...] = ()  # that tell the series apart


@dataclass(slots=True)
class _History:
    """Finite values by wall time, by series."""

    points: dict[Labels, dict[int, float]] = field(default_factory=dict)
    not_finite: int = 0

    def add(self, metric: Mapping[str, str], values: Iterable[tuple[float, str]]) -> None:
        kept = self.points.setdefault(tuple(sorted(metric.items())), {})
        for at_s, served in values:
            value = float(served)
            if isfinite(value):
                kept[round(at_s)] = value
            else:
                self.not_finite += 1


def import_history(access: HttpAccess, query: HistoryQuery, path: Path) -> ImportReport:
    """Read a query's history and write it, in one go, to a parquet file: timestamp, value.

    `timestamp` is int64 in seconds, `value` float64; gaps are absent rows. Several series stand one after the
    other, with a column for each label that tells them apart. Blocks: run it off the event loop. Raises
    Unavailable and Rejected, naming the part of the span that failed, and ForesailError when the file cannot be
    written. What stood at `path` stays until the new file is whole.
    """
    history = _History()
    with _connected(access) as connection:
        for start_s, end_s in _chunks(query):
            _read(connection, query, (start_s, end_s), history)
    found = {labels: points for labels, points in history.points.items() if points}
    times = {at_s for points in found.values() for at_s in points}
    if not times:
        raise Rejected(f"{_where(query, (query.start_s, query.end_s))}: no finite point; nothing was written")
    _write(_table(found), path)
    return ImportReport(
        path=path,
        series=len(found),
        points=sum(map(len, found.values())),
        covered_ratio=sum(map(len, found.values())) / (query.points * len(found)),
        first_s=min(times),
        last_s=max(times),
        not_finite=history.not_finite,
        labels=tuple(_telling_apart(found)),
    )


def _connected(access: HttpAccess) -> PrometheusConnect:
    session = requests.Session()
    session.trust_env = False  # no .netrc, no proxies: as for the daemon, what is configured here is all that counts
    session.verify = str(access.ca_file) if access.ca_file is not None else access.verify
    if access.cert_file is not None:
        session.cert = (str(access.cert_file), str(access.key_file or access.cert_file))
    return PrometheusConnect(
        url=access.url.rstrip("/"),
        headers=access.request_headers(),
        session=session,
        timeout=access.timeout_s,
        method="POST",
    )


def _chunks(query: HistoryQuery) -> Iterator[Chunk]:
    length_s = (POINTS_PER_CHUNK - 1) * query.step_s
    for start_s in range(query.start_s, query.end_s + 1, POINTS_PER_CHUNK * query.step_s):
        yield start_s, min(start_s + length_s, query.end_s)


def _read(connection: PrometheusConnect, query: HistoryQuery, chunk: Chunk, history: _History) -> None:
    start, end = (datetime.fromtimestamp(at_s, UTC) for at_s in chunk)
    try:
        for series in connection.custom_query_range(query.text, start, end, str(query.step_s)):
            history.add(series["metric"], series["values"])
    except PrometheusApiClientException as error:
        raise _refusal(_where(query, chunk), str(error)) from error
    except requests.RequestException as error:
        raise Unavailable(f"{_where(query, chunk)}: {_unreached(error, connection.url)}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable(f"{_where(query, chunk)}: the answer is not Prometheus's ({error})") from error


def _refusal(where: str, told: str) -> ForesailError:
    """The error for an answer other than 200, in Prometheus's own words; the library tells it as text alone."""
    found = _REFUSED.search(told)
    if found is None:
        return Unavailable(f"{where}: {told[:SHOWN_OF_AN_ERROR]}")
    status, words = found["status"], _message(ast.literal_eval(found["body"]))[:SHOWN_OF_AN_ERROR]
    final = status in ("400", "401", "403", "404", "422")
    return (Rejected if final else Unavailable)(f"{where}: Prometheus answered HTTP {status}: {words}")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return " ".join(body.decode(errors="replace").split()) or "no words"


def _unreached(error: requests.RequestException, url: str) -> str:
    if isinstance(error, requests.Timeout):
        return f"{url} did not answer in time"
    found = _ERRNO.search(str(error))
    return f"{url} cannot be reached: {found['words'] if found else type(error).__name__}"


def _table(points: Mapping[Labels, Mapping[int, float]]) -> pa.Table:
    ordered = [(dict(labels), sorted(points[labels].items())) for labels in sorted(points)]
    columns: dict[str, pa.Array[Any]] = {
        "timestamp": pa.array([at_s for _, rows in ordered for at_s, _ in rows], pa.int64()),
        "value": pa.array([value for _, rows in ordered for _, value in rows], pa.float64()),
    }
    for name in _telling_apart(points):
        column = f"label_{name}" if name in columns else name
        texts = [labels.get(name, "") for labels, rows in ordered for _ in rows]
        columns[column] = pa.array(texts, pa.string())
    return pa.table(columns)


def _telling_apart(series: Collection[Labels]) -> list[str]:
    names = sorted({name for labels in series for name, _ in labels})
    return [name for name in names if len({dict(labels).get(name, "") for labels in series}) > 1]


def _write(table: pa.Table, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error)  # pyarrow's own words name another file
        raise ForesailError(f"history: {path} cannot be written: {words}") from error
    finally:
        partial.unlink(missing_ok=True)


def _where(query: HistoryQuery, chunk: Chunk) -> str:
    return f"history of {query.text!r} from {_shown(chunk[0])} to {_shown(chunk[1])}"


def _shown(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()

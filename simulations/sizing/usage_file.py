"""Usage files: parquet or CSV with a series, a time and a value a row, read into arrays or refused with every fault."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from controller.errors import ForesailError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from policies.arrays import BoolArray, FloatArray, IntArray

COLUMNS = SERIES, TIMESTAMP, VALUE = "series", "timestamp", "value"
LEAST_SAMPLES = 2
_MISSING = ("", "nan", "null", "none")


class UsageFileError(ForesailError):
    """A usage file that cannot be used: one problem a line, with the file, the column and the row."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Samples of series that follow each other, each with strictly rising wall times in seconds; none is missing.

    Samples of series n are those from `start[n]` to `start[n + 1]`, `[series + 1]`.
    """

    series: tuple[str, ...]
    start: IntArray
    at_s: FloatArray
    value: FloatArray


def read_usage(path: Path) -> Usage:
    """Read columns `series` (text), `timestamp` (seconds, UTC) and `value` (cores or bytes); rows come in any order.

    An empty value is a gap, and so is what has no row. Rows are counted from 1, without a header. Raises
    UsageFileError: no such file or column, text for numbers, values that are infinite or below 0, a time that a series
    has twice, series with fewer than two samples.
    """
    try:
        names, at_s, value = _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error)  # pyarrow's own words name the file again
        raise UsageFileError(f"{path}: cannot be read: {words}") from error
    series, which = np.unique(names, return_inverse=True)
    order = np.lexsort((at_s, which))
    if problems := list(_problems(series, which, at_s, value, order)):
        raise UsageFileError("\n".join(f"{path}: {problem}" for problem in problems))
    kept = order[~np.isnan(value[order])]
    start = np.searchsorted(which[kept], np.arange(series.size + 1))
    return Usage(tuple(series.tolist()), start.astype(np.int64), at_s[kept], value[kept])


_Names = np.ndarray[tuple[int, ...], np.dtype[np.str_]]
_Columns = tuple[_Names, "FloatArray", "FloatArray"]


def _problems(series: _Names, which: IntArray, at_s: FloatArray, value: FloatArray, order: IntArray) -> Iterator[str]:
    if not which.size:
        yield "has no rows"
        return
    for column, bad, values, fault in (
        (TIMESTAMP, ~np.isfinite(at_s), at_s, "is not a time"),
        (VALUE, np.isinf(value), value, "is not finite"),
        (VALUE, value < 0, value, "is below 0"),
    ):
        if bad.any():
            row = int(np.argmax(bad))
            yield f"column {column}, row {row + 1}: {values[row]:.15g} {fault}{_more(bad)}"
    again = (np.diff(which[order]) == 0) & (np.diff(at_s[order]) == 0)
    if again.any():
        row = int(order[1:][again].min())
        yield f"column {TIMESTAMP}, row {row + 1}: series {series[which[row]]} has {at_s[row]:.15g} twice{_more(again)}"
    short = np.bincount(which[~np.isnan(value)], minlength=series.size) < LEAST_SAMPLES
    if short.any():
        yield f"series {series[int(np.argmax(short))]}: has fewer than {LEAST_SAMPLES} samples{_more(short)}"


def _more(bad: BoolArray) -> str:
    count = int(bad.sum()) - 1
    return f" (and {count} more)" if count else ""


def _read_parquet(path: Path) -> _Columns:
    try:
        table = pq.ParquetFile(path)
        _check_columns(path, table.schema_arrow.names)
        columns = table.read(list(COLUMNS))
    except pa.ArrowInvalid as error:
        raise UsageFileError(f"{path}: not a parquet file: {error}") from error
    if columns.column(SERIES).null_count:
        row = int(pc.index(columns.column(SERIES).is_null(), value=True).as_py()) + 1
        raise UsageFileError(f"{path}: column {SERIES}, row {row}: is empty; every row names its series")
    names = np.array([str(name) for name in columns.column(SERIES).to_pylist()], np.str_)
    times = columns.column(TIMESTAMP)
    if pa.types.is_timestamp(times.type):
        micros = times.cast(pa.timestamp("us", times.type.tz)).cast(pa.int64())
        return names, _numbers(path, TIMESTAMP, micros) / 1e6, _numbers(path, VALUE, columns.column(VALUE))
    return names, _numbers(path, TIMESTAMP, times), _numbers(path, VALUE, columns.column(VALUE))


def _numbers(path: Path, name: str, column: pa.ChunkedArray[Any]) -> FloatArray:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UsageFileError(f"{path}: column {name}: holds {column.type}, not numbers")
    # Without to_numpy, which imports pandas where that is installed; it takes a second.
    chunks = [chunk.cast(pa.float64()).fill_null(float("nan")) for chunk in column.chunks]
    return np.concatenate([np.zeros(0), *map(np.from_dlpack, chunks)])


def _read_csv(path: Path) -> _Columns:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(file, strict=True, restval="")
            _check_columns(path, rows.fieldnames or ())
            cells = [
                (row[SERIES].strip(), _cell(path, n, row, TIMESTAMP), _cell(path, n, row, VALUE))
                for n, row in enumerate(rows, 1)
            ]
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageFileError(f"{path}: not a CSV file: {error}") from error
    if nameless := [number for number, cell in enumerate(cells, 1) if not cell[0]]:
        raise UsageFileError(f"{path}: column {SERIES}, row {nameless[0]}: is empty; every row names its series")
    numbers = np.array([cell[1:] for cell in cells], np.float64).reshape(-1, 2)
    return np.array([cell[0] for cell in cells], np.str_), numbers[:, 0].copy(), numbers[:, 1].copy()


def _cell(path: Path, number: int, row: dict[str, str], name: str) -> float:
    text = row[name]
    if text.strip().lower() in _MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise UsageFileError(f"{path}: column {name}, row {number}: {text!r} is not a number") from None


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if absent := [name for name in COLUMNS if name not in names]:
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise UsageFileError(
            f"{path}: column {absent[0]} is missing ({has}); a usage file has {', '.join(COLUMNS[:2])} and {VALUE}"
        )

"""Load files: parquet or CSV with a time and a value a row, read into arrays or refused with file, column and row."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from controller.errors import ForesailError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.arrays import BoolArray, FloatArray

TIMESTAMP, VALUE = "timestamp", "value"
_MISSING = ("", "nan", "null", "none")


class LoadFileError(ForesailError):
    """A load file that cannot be used: the message names the file, the column and the row."""


@dataclass(frozen=True, slots=True)
class Load:
    """Samples of a load: strictly rising wall times in seconds, and values, NaN where missing; `[sample]`."""

    at_s: FloatArray
    value: FloatArray


def read_load(path: Path) -> Load:
    """Read columns `timestamp` (seconds, UTC) and `value`; rows are counted from 1, without a header.

    Raises LoadFileError: no such file, no such column, text, infinite values, unsorted or repeated times.
    """
    try:
        at_s, value = _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error)  # pyarrow's own words name the file again
        raise LoadFileError(f"{path}: cannot be read: {words}") from error
    _refuse(path, TIMESTAMP, ~np.isfinite(at_s), at_s, "is not a time")
    _refuse(path, VALUE, np.isinf(value), value, "is not finite")
    _check_order(path, at_s)
    return Load(at_s, value)


def _read_parquet(path: Path) -> tuple[FloatArray, FloatArray]:
    try:
        table = pq.ParquetFile(path)
        names = table.schema_arrow.names
        _check_columns(path, names)
        columns = table.read()
    except pa.ArrowInvalid as error:
        raise LoadFileError(f"{path}: not a parquet file: {error}") from error
    at_s = _seconds(path, columns.column(TIMESTAMP))
    _check_series(path, columns, at_s)
    return at_s, _numbers(path, VALUE, columns.column(VALUE))


def _check_series(path: Path, columns: pa.Table, at_s: FloatArray) -> None:
    """Refuse several series, one after the other, as `foresail history import` writes them."""
    labels = [each.name for each in columns.schema if pa.types.is_string(each.type) and each.name != VALUE]
    series = columns.group_by(labels).aggregate([]).num_rows if labels else 1
    if series > 1 and (np.diff(at_s) <= 0).any():
        raise LoadFileError(
            f"{path}: holds {series} series (label {', '.join(labels)}); a load is one series: sum them in the query"
        )


def _seconds(path: Path, column: pa.ChunkedArray[Any]) -> FloatArray:
    """Seconds since 1970 from a column of numbers or of Arrow timestamps."""
    if pa.types.is_timestamp(column.type):
        micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        return _numbers(path, TIMESTAMP, micros) / 1e6
    return _numbers(path, TIMESTAMP, column)


def _numbers(path: Path, name: str, column: pa.ChunkedArray[Any]) -> FloatArray:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise LoadFileError(f"{path}: column {name}: holds {column.type}, not numbers")
    if column.null_count:
        return np.asarray(column.to_numpy(), np.float64)
    # Without to_numpy, which imports pandas where that is installed; it takes a second.
    return np.concatenate([np.zeros(0), *map(np.from_dlpack, column.chunks)])


def _read_csv(path: Path) -> tuple[FloatArray, FloatArray]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.DictReader(file, strict=True)
            _check_columns(path, rows.fieldnames or ())
            cells = [
                (_cell(path, number, TIMESTAMP, row[TIMESTAMP]), _cell(path, number, VALUE, row[VALUE]))
                for number, row in enumerate(rows, 1)
            ]
        except (csv.Error, UnicodeDecodeError) as error:
            raise LoadFileError(f"{path}: not a CSV file: {error}") from error
    columns = np.array(cells, np.float64).reshape(-1, 2)
    return columns[:, 0].copy(), columns[:, 1].copy()


def _cell(path: Path, row: int, name: str, text: str | None) -> float:
    if text is None or text.strip().lower() in _MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise LoadFileError(f"{path}: column {name}, row {row}: {text!r} is not a number") from None


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if absent := [name for name in (TIMESTAMP, VALUE) if name not in names]:
        has = f"it has {', '.join(names)}" if names else "it has none"
        raise LoadFileError(f"{path}: column {absent[0]} is missing ({has}); a load file has {TIMESTAMP} and {VALUE}")


def _check_order(path: Path, at_s: FloatArray) -> None:
    gaps_s = np.diff(at_s)
    row = int(np.argmax(gaps_s <= 0)) if gaps_s.size else 0
    if gaps_s.size and gaps_s[row] <= 0:
        fault = (
            "repeats the time of the row before"
            if gaps_s[row] == 0
            else f"is before {at_s[row]:.15g} of the row before"
        )
        _refuse_row(path, TIMESTAMP, row + 1, at_s, fault)


def _refuse(path: Path, name: str, bad: BoolArray, values: FloatArray, fault: str) -> None:
    """Refuse a file with a bad cell, naming the first."""
    if bad.any():
        _refuse_row(path, name, int(np.argmax(bad)), values, fault)


def _refuse_row(path: Path, name: str, row: int, values: FloatArray, fault: str) -> NoReturn:
    raise LoadFileError(f"{path}: column {name}, row {row + 1}: {values[row]:.15g} {fault}")

"""History files: what was seen of a workload in windows of time, as `foresail calibrate` reads it; parquet or CSV.

A row is a window of a group (all replicas together, or one pod or version): rates and means over the window, so that
counters are differences already. docs/calibrate.md has the columns.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from policies.calibration.history import History, Kind, Latencies
from simulations.load_file import LoadFileError

if TYPE_CHECKING:
    from pathlib import Path

    from policies.arrays import BoolArray, FloatArray, IntArray

TIMESTAMP, THROUGHPUT, REPLICAS, GROUP = "timestamp", "throughput", "replicas", "group"
_OPTIONAL = ("waiting", "rejected", "in_flight")
_MISSING = ["", "nan", "NaN", "null", "none", "None"]
_SLACK = 1e-6  # of a rate, by which sums of rates may fall


def read_history(path: Path) -> History:
    """Read a history file. Raises LoadFileError, which names file, column and row (from 1, without the header)."""
    table = _table(path)
    for name in (TIMESTAMP, THROUGHPUT, REPLICAS):
        if name not in table.column_names:
            has = ", ".join(table.column_names) or "none"
            raise LoadFileError(f"{path}: column {name} is missing (it has {has}); docs/calibrate.md has all columns")
    if table.num_rows < 2:  # noqa: PLR2004 - a window's length is the distance of two
        raise LoadFileError(f"{path}: has {table.num_rows} rows; calibration needs hours of windows")
    groups, group = _groups(table)
    at_s = _times(path, table)
    order = np.lexsort((at_s, group))
    _check_times(path, at_s, group, order)
    columns = {name: _amounts(path, table, name)[order] for name in (THROUGHPUT, REPLICAS, *_OPTIONAL)}
    apart_s = np.diff(at_s[order])[np.diff(group[order]) == 0]
    return History(
        float(np.median(apart_s)) if apart_s.size else 60.0,
        at_s[order],
        groups,
        group[order],
        columns[THROUGHPUT],
        columns[REPLICAS],
        columns["waiting"],
        columns["rejected"],
        columns["in_flight"],
        tuple(found for kind in Kind if (found := _latencies(path, table, kind, order)) is not None),
    )


def _table(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() == ".csv":
            how = pc.ConvertOptions(null_values=_MISSING, column_types={GROUP: pa.string()})
            return pc.read_csv(path, convert_options=how)
        return pq.ParquetFile(path).read()
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error)
        raise LoadFileError(f"{path}: cannot be read: {words}") from error
    except pa.ArrowInvalid as error:
        raise LoadFileError(f"{path}: neither a parquet file nor a CSV: {error}") from error


def _groups(table: pa.Table) -> tuple[tuple[str, ...], IntArray]:
    if GROUP not in table.column_names:
        return ("all",), np.zeros(table.num_rows, np.int64)
    names = [str(each) for each in table.column(GROUP).to_pylist()]
    known = sorted(set(names))
    place = {name: index for index, name in enumerate(known)}
    return tuple(known), np.array([place[name] for name in names], np.int64)


def _times(path: Path, table: pa.Table) -> FloatArray:
    column = table.column(TIMESTAMP)
    if pa.types.is_timestamp(column.type):
        micros = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        return np.asarray(micros.to_numpy(), np.float64) / 1e6
    at_s = _numbers(path, TIMESTAMP, column)
    if not np.isfinite(at_s).all():
        _refuse(path, TIMESTAMP, ~np.isfinite(at_s), "is not a time")
    return at_s


def _check_times(path: Path, at_s: FloatArray, group: IntArray, order: IntArray) -> None:
    again = (np.diff(at_s[order]) == 0) & (np.diff(group[order]) == 0)
    if again.any():
        row = int(order[1:][again][0]) + 1
        raise LoadFileError(f"{path}: column {TIMESTAMP}, row {row}: repeats the time of another row of its group")


def _amounts(path: Path, table: pa.Table, name: str) -> FloatArray:
    """A column of numbers from 0 on, NaN where missing or where there is no such column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = _numbers(path, name, table.column(name))
    with np.errstate(invalid="ignore"):
        wrong = (values < 0) | np.isinf(values)
    if wrong.any():
        _refuse(path, name, wrong, "must be a finite number from 0 on (rates come computed, without resets)")
    return values


def _numbers(path: Path, name: str, column: pa.ChunkedArray[Any]) -> FloatArray:
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise LoadFileError(f"{path}: column {name}: holds {column.type}, not numbers")
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _latencies(path: Path, table: pa.Table, kind: Kind, order: IntArray) -> Latencies | None:
    prefix = f"{kind}_le_"
    bounds = sorted((_bound(path, name, prefix), name) for name in table.column_names if name.startswith(prefix))
    if not bounds:
        return None
    if not np.isinf(bounds[-1][0]):
        raise LoadFileError(f"{path}: column {prefix}inf is missing: all events of {kind}, whatever they took")
    below = np.stack([_amounts(path, table, name) for _, name in bounds], axis=1)
    with np.errstate(invalid="ignore"):
        falls = (np.diff(below, axis=1) < -_SLACK * np.maximum(below[:, -1:], 1.0)).any(axis=1)
    if falls.any():
        row = int(np.argmax(falls)) + 1
        raise LoadFileError(
            f"{path}: columns {prefix}..., row {row}: must not fall from a bound to the next larger one"
        )
    bounds_s = np.array([bound for bound, _ in bounds], np.float64)
    return Latencies(kind, bounds_s, below[order], _amounts(path, table, f"{kind}_sum")[order])


def _bound(path: Path, name: str, prefix: str) -> float:
    text = name.removeprefix(prefix)
    try:
        bound = float(text)
    except ValueError:
        bound = -1.0
    if not bound > 0:
        raise LoadFileError(f"{path}: column {name}: must end in a bound in seconds above 0, or in inf")
    return bound


def _refuse(path: Path, name: str, wrong: BoolArray, fault: str) -> None:
    raise LoadFileError(f"{path}: column {name}, row {int(np.argmax(wrong)) + 1}: {fault}")

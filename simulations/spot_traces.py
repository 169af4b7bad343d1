"""Availability of spot pools from a file, on steps: parquet with a trace, a time and obtainable replicas a row."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from controller.errors import ForesailError
from policies.mix.model import NO_LIMIT
from policies.problems import nearest
from simulations.load_file import Load, read_load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.arrays import BoolArray, FloatArray, IntArray

TRACE, TIMESTAMP, VALUE = "trace", "timestamp", "value"
_SHOWN = 8


class SpotTraceError(ForesailError):
    """Availability that cannot be used; the message names file, trace and row."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Replicas that can be had at once, `[trace, step]`, and the wall time of each step, `[step]`."""

    at_s: FloatArray
    replicas: IntArray


def read_availability(path: Path, traces: Sequence[str], *, step_s: float) -> Availability:
    """Read traces on common steps; between two rows of a trace the earlier holds, however long.

    A trace of zeros and ones tells whether its pool is open, so that an open one holds any number.
    Raises SpotTraceError: no such file, column or trace, text, values that are no counts, times that do not rise,
    traces without a time in common.
    """
    series = [_series(path, trace, table) for table in (_table(path),) for trace in traces]
    begin_s, end_s = max(at_s[0] for at_s, _ in series), min(at_s[-1] for at_s, _ in series)
    if end_s < begin_s:
        last, first = (
            traces[int(pick([at_s[edge] for at_s, _ in series]))] for pick, edge in ((np.argmax, 0), (np.argmin, -1))
        )
        raise SpotTraceError(f"{path}: trace {first} ends before {last} begins: replay traces of the same days")
    grid_s = np.arange(begin_s, end_s + step_s / 2, step_s)
    rows = [value[np.searchsorted(at_s, grid_s, side="right") - 1] for at_s, value in series]
    return Availability(grid_s, np.stack(rows))


def every_trace(path: Path) -> dict[str, Load]:
    """All traces of a file with the times of their own rows. Raises SpotTraceError as `read_availability` does."""
    table = _table(path)
    names = [str(name) for name in pc.unique(table.column(TRACE)).to_pylist()]
    return {
        name: Load(at_s, value.astype(np.float64)) for name in names for at_s, value in [_series(path, name, table)]
    }


def replicas_on(path: Path, at_s: FloatArray) -> tuple[IntArray, BoolArray]:
    """Whole replicas of a load file at these times, and where it holds any; missing values are as the last one.

    Raises LoadFileError, and SpotTraceError for negative values or a file of other days.
    """
    load = read_load(path)
    known = np.isfinite(load.value)
    times_s, value = load.at_s[known], load.value[known]
    if not times_s.size or times_s[0] > at_s[-1] or times_s[-1] < at_s[0]:
        held = f"{times_s[0]:.15g} to {times_s[-1]:.15g}" if times_s.size else "no value"
        raise SpotTraceError(f"{path}: holds {held}; the availability is of {at_s[0]:.15g} to {at_s[-1]:.15g}")
    if (value < 0).any():
        bad = int(np.argmax(load.value < 0))
        raise SpotTraceError(f"{path}: column {VALUE}, row {bad + 1}: {load.value[bad]:g} replicas are less than none")
    row = np.searchsorted(times_s, at_s, side="right") - 1
    inside = (row >= 0) & (at_s <= times_s[-1])
    return np.ceil(value[np.maximum(row, 0)] - 1e-9).astype(np.int64), inside


def scarcest(available: IntArray, share: float, *, step_s: float) -> BoolArray:
    """Where on-demand is refused, `[step]`: the `share` of steps around which most pools are closed, by the hour."""
    closed = (available == 0).mean(axis=0)
    width = max(1, round(3600 / step_s))
    around = np.convolve(closed, np.ones(width) / width, mode="same")
    refused = np.zeros(closed.size, np.bool_)
    refused[np.argsort(-around, kind="stable")[: round(share * closed.size)]] = True
    return refused


def _table(path: Path) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if absent := [name for name in (TRACE, TIMESTAMP, VALUE) if name not in names]:
            raise SpotTraceError(f"{path}: column {absent[0]} is missing (it has {', '.join(names)})")
        return file.read([TRACE, TIMESTAMP, VALUE])
    except pa.ArrowInvalid as error:
        raise SpotTraceError(f"{path}: not a parquet file: {error}") from error
    except OSError as error:
        raise SpotTraceError(f"{path}: cannot be read: {os.strerror(error.errno or 0)}") from error


def _series(path: Path, trace: str, table: pa.Table) -> tuple[FloatArray, IntArray]:
    names = table.column(TRACE)
    rows = table.filter(pc.equal(names, pa.scalar(trace)))
    if not rows.num_rows:
        known = [str(name) for name in pc.unique(names).to_pylist()]
        listed = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
        raise SpotTraceError(f"{path}: there is no trace {trace!r}{nearest(trace, known)}; it has {listed}")
    at_s, value = (_numbers(path, trace, name, rows.column(name)) for name in (TIMESTAMP, VALUE))
    if at_s.size > 1 and (steps := np.diff(at_s) <= 0).any():
        raise SpotTraceError(f"{path}: trace {trace}, row {int(np.argmax(steps)) + 2}: the time does not rise")
    if (bad := ~(value >= 0) | (value != np.floor(value))).any():
        row = int(np.argmax(bad))
        raise SpotTraceError(f"{path}: trace {trace}, row {row + 1}: {value[row]:g} is no number of replicas")
    whole = np.minimum(value, NO_LIMIT).astype(np.int64)
    return at_s, np.where(whole > 0, NO_LIMIT, 0) if whole.max() <= 1 else whole


def _numbers(path: Path, trace: str, name: str, column: pa.ChunkedArray[Any]) -> FloatArray:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        return _numbers(path, trace, name, column) / 1e6
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise SpotTraceError(
            f"{path}: trace {trace}: column {name} holds {column.type}, or nothing, where numbers belong"
        )
    # Without to_numpy, which imports pandas where that is installed; it takes a second.
    return np.concatenate([np.from_dlpack(chunk).astype(np.float64) for chunk in column.chunks])

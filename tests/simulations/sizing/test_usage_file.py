"""Usage files: what is read, and what is refused with which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulations.sizing.usage_file import UsageFileError, read_usage

if TYPE_CHECKING:
    from pathlib import Path


def _parquet(folder: Path, **columns: Any) -> Path:  # noqa: ANN401 - whatever Arrow takes
    path = folder / "usage.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _csv(folder: Path, text: str) -> Path:
    path = folder / "usage.csv"
    path.write_text(text)
    return path


def test_rows_in_any_order_with_a_gap(tmp_path: Path) -> None:
    path = _parquet(
        tmp_path,
        value=pa.array([4.0, 1.0, None, 3.0, 2.0]),
        series=pa.array(["b", "a", "a", "b", "a"]),
        timestamp=pa.array([120, 0, 60, 60, 120]),
        other=pa.array([1, 2, 3, 4, 5]),
    )
    usage = read_usage(path)
    assert usage.series == ("a", "b")
    assert usage.start.tolist() == [0, 2, 4]
    assert usage.at_s.tolist() == [0, 120, 60, 120]
    assert usage.value.tolist() == [1, 2, 3, 4]


def test_csv_and_arrow_times_read_the_same(tmp_path: Path) -> None:
    text = _csv(tmp_path, "series,timestamp,value\na,0,1\na,60,2\na,120,\n")
    times = pa.array(np.array([0, 60], "datetime64[s]"))
    table = _parquet(tmp_path, series=pa.array(["a", "a"]), timestamp=times, value=pa.array([1, 2]))
    for path in (text, table):
        usage = read_usage(path)
        assert (usage.at_s.tolist(), usage.value.tolist()) == ([0, 60], [1, 2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "column series is missing (it has none)", id="an-empty-file"),
        pytest.param("series,value\na,1\n", "column timestamp is missing (it has series, value)", id="no-time"),
        pytest.param("series,timestamp,value\n", "has no rows", id="no-rows"),
        pytest.param("series,timestamp,value\na,0,x\n", "column value, row 1: 'x' is not a number", id="text"),
        pytest.param("series,timestamp,value\n,0,1\n", "column series, row 1: is empty", id="no-series"),
        pytest.param("series,timestamp,value\na,,1\na,1,1\n", "column timestamp, row 1: nan is not a time", id="when"),
        pytest.param("series,timestamp,value\na,0,inf\na,1,1\n", "column value, row 1: inf is not finite", id="inf"),
        pytest.param(
            "series,timestamp,value\na,0,1\na,1,-2\na,2,-3\n", "row 2: -2 is below 0 (and 1 more)", id="below-0"
        ),
        pytest.param("series,timestamp,value\na,5,1\na,5,2\n", "row 2: series a has 5 twice", id="a-time-twice"),
        pytest.param("series,timestamp,value\na,5,1\nb,5,2\nb,6,\n", "series a: has fewer than 2 samples", id="short"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = _csv(tmp_path, text)
    with pytest.raises(UsageFileError) as refused:
        read_usage(path)
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


def test_every_kind_of_fault_is_told_at_once(tmp_path: Path) -> None:
    path = _csv(tmp_path, "series,timestamp,value\na,0,-1\na,1,inf\nb,2,1\n")
    with pytest.raises(UsageFileError) as refused:
        read_usage(path)
    assert [line.removeprefix(f"{path}: ") for line in str(refused.value).splitlines()] == [
        "column value, row 2: inf is not finite",
        "column value, row 1: -1 is below 0",
        "series b: has fewer than 2 samples",
    ]


def test_parquet_that_is_none_and_columns_of_text(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("no")
    with pytest.raises(UsageFileError, match="not a parquet file"):
        read_usage(broken)
    with pytest.raises(UsageFileError, match="cannot be read: No such file"):
        read_usage(tmp_path / "absent.parquet")
    text = _parquet(tmp_path, series=pa.array(["a"]), timestamp=pa.array([0]), value=pa.array(["1"]))
    with pytest.raises(UsageFileError, match="column value: holds string, not numbers"):
        read_usage(text)
    nameless = _parquet(tmp_path, series=pa.array(["a", None]), timestamp=pa.array([0, 1]), value=pa.array([1, 2]))
    with pytest.raises(UsageFileError, match="column series, row 2: is empty"):
        read_usage(nameless)

"""Load files: what is read, and what is refused with which words."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulations.load_file import LoadFileError, read_load

Column = Any


def _parquet(folder: Path, columns: dict[str, Column]) -> Path:
    path = folder / "load.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _csv(folder: Path, text: str) -> Path:
    path = folder / "load.csv"
    path.write_text(text)
    return path


def test_parquet_with_a_hole_and_a_column_more(tmp_path: Path) -> None:
    columns = {"value": pa.array([1.5, None]), "timestamp": pa.array([60, 120]), "anomaly": pa.array([0, 1])}
    load = read_load(_parquet(tmp_path, columns))
    assert load.at_s.tolist() == [60.0, 120.0]
    assert np.array_equal(load.value, [1.5, np.nan], equal_nan=True)


def test_parquet_with_times_of_arrow(tmp_path: Path) -> None:
    times = pa.array([1_500, 2_500], pa.timestamp("ms", tz="UTC"))
    assert read_load(_parquet(tmp_path, {"timestamp": times, "value": pa.array([1, 2])})).at_s.tolist() == [1.5, 2.5]


def test_several_series_are_refused_with_their_labels(tmp_path: Path) -> None:
    columns = {"timestamp": [0, 60, 0, 60], "value": [1, 2, 3, 4], "app": ["chat", "chat", "code", "code"]}
    with pytest.raises(LoadFileError, match=r"holds 2 series \(label app\)"):
        read_load(_parquet(tmp_path, columns))


def test_csv_with_holes(tmp_path: Path) -> None:
    load = read_load(_csv(tmp_path, "timestamp,value\n0,1\n60,\n120,NaN\n180,4e1\n"))
    assert load.at_s.tolist() == [0.0, 60.0, 120.0, 180.0]
    assert np.array_equal(load.value, [1, np.nan, np.nan, 40], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("timestamp,value\n0,1\n60,x\n", "column value, row 2: 'x' is not a number", id="text"),
        pytest.param("timestamp,value\n0,1\n60,inf\n", "column value, row 2: inf is not finite", id="infinite"),
        pytest.param("timestamp,value\n0,1\n,2\n", "column timestamp, row 2: nan is not a time", id="no-time"),
        pytest.param(
            "timestamp,value\n0,1\n60,2\n60,3\n",
            "column timestamp, row 3: 60 repeats the time of the row before",
            id="duplicate",
        ),
        pytest.param(
            "timestamp,value\n0,1\n1500000060,2\n1500000000,3\n",
            "column timestamp, row 3: 1500000000 is before 1500000060 of the row before",
            id="unsorted",
        ),
        pytest.param("time,value\n0,1\n", "column timestamp is missing (it has time, value)", id="no-column"),
        pytest.param("", "column timestamp is missing (it has none)", id="empty-file"),
        pytest.param('timestamp,value\n0,"1\n', "not a CSV file", id="open-quote"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LoadFileError) as refused:
        read_load(_csv(tmp_path, text))
    assert str(refused.value).startswith(f"{tmp_path / 'load.csv'}: {message}")


def test_a_parquet_column_of_text_is_refused(tmp_path: Path) -> None:
    path = _parquet(tmp_path, {"timestamp": pa.array([0]), "value": pa.array(["1"])})
    with pytest.raises(LoadFileError, match="column value: holds string, not numbers"):
        read_load(path)


def test_unsorted_parquet_is_refused_with_its_row(tmp_path: Path) -> None:
    path = _parquet(tmp_path, {"timestamp": pa.array([0, 120, 60]), "value": pa.array([1, 2, 3])})
    with pytest.raises(LoadFileError, match=r"column timestamp, row 3: 60 is before 120"):
        read_load(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "load.parquet"
    path.write_text("timestamp,value")
    with pytest.raises(LoadFileError, match="not a parquet file"):
        read_load(path)


@pytest.mark.parametrize("name", ["absent.parquet", "absent.csv"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadFileError, match="cannot be read"):
        read_load(tmp_path / name)

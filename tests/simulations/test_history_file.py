"""History files: what is read of them, and what is refused with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from policies.calibration.history import Kind
from simulations.history_file import read_history
from simulations.load_file import LoadFileError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "timestamp,throughput,replicas,waiting,itl_sum,itl_le_0.02,itl_le_0.05,itl_le_inf\n"
ROWS = "60,100,2,,1.5,40,90,100\n120,110,2,3,1.7,45,99,110\n180,,2,0,,,,\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "history.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_of_a_csv(tmp_path: Path) -> None:
    found = read_history(written(tmp_path, HEAD + ROWS))

    assert found.step_s == 60
    assert found.groups == ("all",)
    assert found.served_per_s[:2].tolist() == [100, 110]
    assert np.isnan(found.served_per_s[2])
    assert np.isnan(found.waiting[0])
    assert np.isnan(found.rejected_per_s).all()
    (itl,) = found.latencies
    assert itl.kind is Kind.ITL
    assert itl.bounds_s.tolist() == [0.02, 0.05, np.inf]
    assert itl.below_per_s[1].tolist() == [45, 99, 110]


def test_groups_of_a_parquet_file_are_told_apart_and_sorted(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    columns: dict[str, pa.Array[Any]] = {
        "timestamp": pa.array([120, 60, 60, 120]),
        "throughput": pa.array([2.0, 1.0, 3.0, 4.0]),
        "replicas": pa.array([1, 1, 1, 1]),
        "group": pa.array(["b", "b", "a", "a"]),
    }
    pq.write_table(pa.table(columns), path)

    found = read_history(path)

    assert found.groups == ("a", "b")
    assert found.served_per_s.tolist() == [3, 4, 1, 2]
    assert found.at_s.tolist() == [60, 120, 60, 120]
    assert found.latencies == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timestamp,replicas\n60,1\n120,1\n", r"column throughput is missing \(it has timestamp, replicas\)"),
        (HEAD + "60,100,2,,1.5,40,90,100\n", r"has 1 rows"),
        (HEAD + ROWS + "180,1,2,,1,1,1,1\n", r"column timestamp, row 4: repeats the time"),
        (HEAD + ROWS + "240,-1,2,,1,1,1,1\n", r"column throughput, row 4: must be a finite number from 0 on"),
        (HEAD + ROWS + "240,many,2,,1,1,1,1\n", r"column throughput: holds string, not numbers"),
        (HEAD + ROWS + "240,9,2,,1,9,8,9\n", r"columns itl_le_..., row 4: must not fall from a bound"),
        (HEAD.replace("0.05", "x") + ROWS, r"column itl_le_x: must end in a bound in seconds"),
        (HEAD.replace("inf", "1") + ROWS, r"column itl_le_inf is missing"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LoadFileError, match=message):
        read_history(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LoadFileError, match=r"none.csv: cannot be read: No such file"):
        read_history(tmp_path / "none.csv")
    (tmp_path / "text.parquet").write_text("no", encoding="utf-8")
    with pytest.raises(LoadFileError, match=r"neither a parquet file nor a CSV"):
        read_history(tmp_path / "text.parquet")

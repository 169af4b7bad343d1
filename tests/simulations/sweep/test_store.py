"""What is done is kept: whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulations.sweep.store import Store
from tests.simulations.sweep.works import Sum

if TYPE_CHECKING:
    from pathlib import Path

RESULT = Sum(np.array([0.1, np.nan, -0.0, 1e300]), process=7, writable=True)


def test_what_is_kept_comes_back_bit_for_bit(tmp_path: Path) -> None:
    Store(tmp_path / "new" / "folder", Sum).put("a", RESULT)
    found = Store(tmp_path / "new" / "folder", Sum).get("a")
    assert found is not None
    assert found.drawn.tobytes() == RESULT.drawn.tobytes()
    assert (found.process, found.writable) == (7, True)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.fsp"]


def test_an_unknown_key_has_nothing(tmp_path: Path) -> None:
    assert Store(tmp_path, Sum).get("a") is None
    assert Store(tmp_path / "absent", Sum).get("a") is None


@pytest.mark.parametrize("left", [0, 1, 10, 60, -1])
def test_a_torn_file_counts_as_not_done(tmp_path: Path, left: int) -> None:
    store = Store(tmp_path, Sum)
    store.put("a", RESULT)
    path = tmp_path / "a.fsp"
    path.write_bytes(path.read_bytes()[:left])
    assert store.get("a") is None


def test_changed_bytes_count_as_not_done(tmp_path: Path) -> None:
    store = Store(tmp_path, Sum)
    store.put("a", RESULT)
    path = tmp_path / "a.fsp"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(bytes(whole))
    assert store.get("a") is None

"""Very many generated fleets, and no violation of what must hold; `FLEETS=100000` for the figure in the benchmarks."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.properties.many import FLEETS, Violation, checked

pytestmark = pytest.mark.bench

COUNT = int(os.environ.get("FLEETS", "3200"))
FIRST_SEED = int(os.environ.get("FIRST_SEED", "1000"))  # away from those of the unit tests
SHOWN = 20
LONGEST_S = 4 * 3600


@pytest.mark.timeout(LONGEST_S)
def test_fleets_without_a_violation() -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + -(-COUNT // FLEETS))
    began_s = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        found: list[Violation] = [each for batch in pool.map(checked, seeds, chunksize=4) for each in batch]
    took_s, fleets = time.perf_counter() - began_s, len(seeds) * FLEETS
    print(  # noqa: T201 - a benchmark shows its figures
        f"\n{fleets} fleets, seeds {seeds[0]} to {seeds[-1]}: {len(found)} violations in {took_s:.0f} s "
        f"({1000 * took_s / fleets:.1f} ms a fleet) [{os.cpu_count()} cores]"
    )
    for each in found[:SHOWN]:
        print(f"  {each}")  # noqa: T201 - as above
    assert not found

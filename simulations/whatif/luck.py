"""Where chance comes from: one stream for each thing that is drawn in each run, the same however runs are split."""

from __future__ import annotations

import numpy as np

LOAD, STARTS, SPOT, REFUSALS = range(4)


def generator(seed: int, run: int, what: int, place: int, number: int = 0) -> np.random.Generator:
    """The stream of one run for one thing (`LOAD`, `SPOT`, ...) of the workload or zone at a place.

    Policies have no part in it: they all meet the same luck (common random numbers).
    """
    return np.random.default_rng(np.random.SeedSequence((seed, run, what, place, number)))


def key(seed: int, run: int, what: int, place: int) -> int:
    """64 bits for draws by counting, which compiled code makes of them step by step."""
    return int(np.random.SeedSequence((seed, run, what, place)).generate_state(1, np.uint64)[0])

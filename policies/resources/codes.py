"""Usage as codes of two bytes in steps of 2 %, so that a week of minutes of 20,000 containers fits in memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from policies.arrays import FloatArray

CodeArray = NDArray[np.uint16]

LEAST = 1e-4  # cores; less is as much
RATIO = 1.02
COUNT = 1 + math.ceil(math.log(1e4 / LEAST) / math.log(RATIO))  # up to 10,000 cores; code 0 is no sample
VALUES: FloatArray = LEAST * RATIO ** (np.arange(COUNT, dtype=np.float64) - 1.0)  # what a code stands for, `[code]`


def codes_of(usage: FloatArray) -> CodeArray:
    """The code of each usage in cores that stands for as much or the next step up; 0 where it is NaN."""
    known = np.isfinite(usage)
    steps = np.log(np.maximum(np.where(known, usage, LEAST), LEAST) / LEAST) / math.log(RATIO)
    return np.where(known, np.minimum(np.ceil(steps - 1e-9) + 1.0, COUNT - 1), 0).astype(np.uint16)

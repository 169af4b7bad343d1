"""A simulated server of language models: continuous batching, step by step, with requests that arrive and wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.calibration.history import History, Kind, Latencies
from policies.compiled import compiled
from tests.policies.calibration.servers import BOUNDS_S

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

ITL, TTFT = 0, 1


@dataclass(frozen=True, slots=True)
class TokenServer:
    """A step takes `base_s`, `each_s` for each request in the batch, and `prompt_s` for each new prompt token."""

    base_s: float = 0.012
    each_s: float = 0.0003
    prompt_s: float = 0.0
    largest_batch: int = 256

    def serve(
        self, at_s: FloatArray, prompt: IntArray, output: IntArray, *, window_s: float, until_s: float
    ) -> History:
        """What one server does of requests that arrive at `at_s[request]`, rising from 0."""
        windows = int(until_s / window_s)
        counts = np.zeros((2, windows, BOUNDS_S.size))
        sums = np.zeros((2, windows))
        waiting = np.zeros(windows)
        figures = np.array([self.base_s, self.each_s, self.prompt_s, float(self.largest_batch), window_s])
        _run((at_s, prompt, output), figures, BOUNDS_S, (counts, sums, waiting))
        below = np.cumsum(counts, axis=2) / window_s
        latencies = [
            Latencies(kind, BOUNDS_S, below[row], sums[row] / window_s)
            for row, kind in enumerate((Kind.ITL, Kind.TTFT))
        ]
        return History(
            window_s,
            window_s * np.arange(1, windows + 1, dtype=np.float64),
            ("all",),
            np.zeros(windows, np.int64),
            below[ITL][:, -1].copy(),
            np.ones(windows),
            waiting / window_s,
            np.full(windows, np.nan),
            sums[ITL] / window_s,
            tuple(latencies),
        )


@compiled
def _run(
    requests: tuple[FloatArray, IntArray, IntArray],
    figures: FloatArray,
    bounds_s: FloatArray,
    seen: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    at_s, prompt, output = requests
    counts, sums, waiting = seen
    base_s, each_s, prompt_s, largest, window_s = figures[0], figures[1], figures[2], int(figures[3]), figures[4]
    left = np.zeros(largest, np.int64)
    running, first, arrived, now_s, count = 0, 0, 0, 0.0, at_s.size
    while True:
        if running == 0 and first == arrived:
            if arrived == count:
                break
            now_s = max(now_s, at_s[arrived])
        while arrived < count and at_s[arrived] <= now_s:
            arrived += 1
        old, took_s, begun = running, base_s, first
        while first < arrived and running < largest:
            left[running] = output[first]
            took_s += prompt_s * prompt[first]
            running += 1
            first += 1
        took_s += each_s * running
        now_s += took_s
        window = int(now_s / window_s)
        if window >= sums.shape[1]:
            break
        place = np.searchsorted(bounds_s, took_s)
        counts[0, window, place] += old
        sums[0, window] += old * took_s
        waiting[window] += (arrived - first) * took_s
        for request in range(begun, first):
            waited_s = now_s - at_s[request]
            counts[1, window, np.searchsorted(bounds_s, waited_s)] += 1
            sums[1, window] += waited_s
        kept = 0
        for place in range(running):
            if left[place] > 1:
                left[kept] = left[place] - 1
                kept += 1
        running = kept

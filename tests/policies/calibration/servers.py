"""Simulated servers whose curve and serving limit are known, and what a Prometheus would have seen of them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from policies.calibration.history import History, Kind, Latencies

if TYPE_CHECKING:
    from policies.arrays import FloatArray

BOUNDS_S = np.array([0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, np.inf])


@dataclass(frozen=True, slots=True)
class Server:
    """Latency `base_s` + `each_s` n with n under way, spread lognormally by `spread` around its mean."""

    base_s: float = 0.012
    each_s: float = 0.0003
    spread: float = 0.3
    noise: float = 0.05  # of a window's mean, a day's fraction long
    memory: float = 0.8  # of the noise from window to window

    def mean_s(self, per_s: FloatArray | float) -> FloatArray:
        """Mean latency at a throughput per replica."""
        return np.asarray(self.base_s / (1 - self.each_s * np.asarray(per_s)), np.float64)

    def limit_per_s(self, objective_s: float, quantile: float) -> float:
        """The throughput at which the quantile of latency, over all windows, is the objective."""
        variance = self.spread**2 + self.noise**2
        mean_s = objective_s * np.exp(variance / 2 - NormalDist().inv_cdf(quantile) * variance**0.5)
        return float((1 - self.base_s / mean_s) / self.each_s)

    def history(
        self, load: FloatArray, *, replicas: float = 4.0, step_s: float = 60.0, seed: int = 0, kind: Kind = Kind.ITL
    ) -> History:
        """Windows of a load per replica, `[window]`."""
        rng = np.random.default_rng(seed)
        shocks = rng.normal(0, self.noise * (1 - self.memory**2) ** 0.5, load.size)
        drift = np.zeros(load.size)
        drift[0] = rng.normal(0, self.noise)
        for window in range(1, load.size):
            drift[window] = self.memory * drift[window - 1] + shocks[window]
        events = rng.poisson(load * replicas * step_s).astype(np.float64)
        per_s = events / (replicas * step_s)
        mean_s = self.mean_s(np.minimum(per_s, 0.97 / self.each_s)) * np.exp(drift - self.noise**2 / 2)
        centre = np.log(mean_s) - self.spread**2 / 2
        edges = NormalDist()
        share = np.array([[edges.cdf((np.log(b) - each) / self.spread) for b in BOUNDS_S[:-1]] for each in centre])
        parts = np.diff(np.concatenate((np.zeros((load.size, 1)), share, np.ones((load.size, 1))), axis=1), axis=1)
        counts = np.cumsum(rng.multinomial(events.astype(np.int64), parts), axis=1)
        # The mean of many events; one of few is off by its own spread.
        seen_s = mean_s * (1 + rng.normal(0, self.spread, load.size) / np.sqrt(np.maximum(events, 1)))
        unknown = np.full(load.size, np.nan)
        return History(
            step_s,
            step_s * np.arange(1, load.size + 1, dtype=np.float64),
            ("all",),
            np.zeros(load.size, np.int64),
            events / step_s,
            np.full(load.size, replicas),
            unknown,
            unknown,
            per_s * seen_s * replicas,
            (Latencies(kind, BOUNDS_S, counts / step_s, per_s * seen_s * replicas),),
        )


def daily_load(mean: float, swing: float, *, windows: int, seed: int, noise: float = 0.1) -> FloatArray:
    """A wave of a day at windows of a minute, with noise that lasts half an hour, `[window]`."""
    rng = np.random.default_rng(seed)
    wave = 1 + swing * np.sin(2 * np.pi * np.arange(windows) / 1440)
    shocks = rng.normal(0, noise * (1 - 0.97**2) ** 0.5, windows)
    drift = np.zeros(windows)
    for window in range(1, windows):
        drift[window] = 0.97 * drift[window - 1] + shocks[window]
    return np.asarray(mean * wave * np.exp(drift), np.float64)


def joined(*parts: History, groups: tuple[str, ...] = ()) -> History:
    """Histories one after the other in time, or side by side as `groups`, one for each."""
    first, shift_s = parts[0], 0.0
    at_s, group = [], []
    for row, part in enumerate(parts):
        at_s.append(part.at_s + (0.0 if groups else shift_s))
        group.append(np.full(part.at_s.size, row if groups else 0))
        shift_s += part.at_s[-1]
    latencies = Latencies(
        first.latencies[0].kind,
        BOUNDS_S,
        np.concatenate([part.latencies[0].below_per_s for part in parts]),
        np.concatenate([part.latencies[0].sum_ratio for part in parts]),
    )
    return History(
        first.step_s,
        np.concatenate(at_s),
        groups or first.groups,
        np.concatenate(group),
        np.concatenate([part.served_per_s for part in parts]),
        np.concatenate([part.replicas for part in parts]),
        np.concatenate([part.waiting for part in parts]),
        np.concatenate([part.rejected_per_s for part in parts]),
        np.concatenate([part.in_flight for part in parts]),
        (latencies,),
    )

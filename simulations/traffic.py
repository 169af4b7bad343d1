"""Synthetic load: a level times small shapes, seeded, so that the same description gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.signal import lfilter

from simulations.serving import DAY_S, HOUR_S

if TYPE_CHECKING:
    from policies.arrays import FloatArray

WEEK_S = 7 * DAY_S
_FIRST_MONDAY_S = 4 * DAY_S  # 1970-01-01 was a Thursday


class Shape(Protocol):
    """What multiplies the level at each moment."""

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:
        """Factors of the level, `[step]`, from 0."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When the steps are: wall time (UTC) and seconds since the first one, `[step]`."""

    at_s: FloatArray
    since_s: FloatArray
    step_s: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """A load: a level in the load's own unit, shapes that multiply it, and a seed."""

    level: float
    shapes: tuple[Shape, ...] = ()
    seed: int = 0


def generate(spec: Traffic, *, start_s: float, steps: int, step_s: float) -> FloatArray:
    """The load at `steps` steps from a wall time on, `[step]`.

    Every shape draws from a stream of its own (seed and position), so that adding one leaves the others as they were.
    """
    since_s = np.arange(steps, dtype=np.float64) * step_s
    moments = Moments(start_s + since_s, since_s, step_s)
    load = np.full(steps, spec.level, np.float64)
    for position, shape in enumerate(spec.shapes):
        load *= shape.factor(moments, np.random.default_rng([spec.seed, position]))
    return load


@dataclass(frozen=True, slots=True)
class Daily:
    """A wave of 24 h: 1 + swing at the peak hour (UTC) and 1 - swing half a day from it."""

    swing_ratio: float = 0.5
    peak_hour: float = 14.0
    day_s: float = DAY_S  # shorter for a compressed day

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """1.5 at 14:00 and 0.5 at 02:00 with a swing of 0.5."""
        peak_s = self.peak_hour / 24 * self.day_s
        return 1 + self.swing_ratio * np.cos(2 * np.pi * (moments.at_s - peak_s) / self.day_s)


@dataclass(frozen=True, slots=True)
class Weekly:
    """A factor for each weekday (UTC), from Monday on."""

    factors: tuple[float, float, float, float, float, float, float] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.5)

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """0.6 on Saturdays and 0.5 on Sundays by default."""
        weekday = ((moments.at_s - _FIRST_MONDAY_S) % WEEK_S // DAY_S).astype(np.int64)
        return np.array(self.factors)[weekday]


@dataclass(frozen=True, slots=True)
class Noise:
    """Lognormal noise of mean 1 whose logarithm is an autoregression of first order."""

    sigma: float = 0.1  # standard deviation of the logarithm
    correlation_s: float = 0.0  # after this time a deviation has faded to 1/e; 0 = independent steps

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:
        """About 0.9 to 1.1 two times of three with a sigma of 0.1."""
        shocks = random.standard_normal(moments.at_s.size)
        if self.correlation_s > 0 and shocks.size:
            keep = float(np.exp(-moments.step_s / self.correlation_s))
            shocks[1:] *= np.sqrt(1 - keep * keep)
            shocks = lfilter([1.0], [1.0, -keep], shocks)
        return np.exp(self.sigma * shocks - self.sigma**2 / 2)


@dataclass(frozen=True, slots=True)
class Ramp:
    """A change from 1 to `to` in a straight line, which stays. Times since the start."""

    after_s: float
    lasts_s: float
    to: float

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """Halfway through a ramp to 3 it is 2."""
        return np.interp(moments.since_s, [self.after_s, self.after_s + self.lasts_s], [1.0, self.to])


@dataclass(frozen=True, slots=True)
class LevelShift:
    """A factor from one moment on, such as a new tenant. Time since the start."""

    after_s: float
    to: float

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """1 before, `to` from then on."""
        return np.where(moments.since_s >= self.after_s, self.to, 1.0)


@dataclass(frozen=True, slots=True)
class FlashCrowd:
    """A crowd that comes in a straight line and fades exponentially. Times since the start."""

    after_s: float
    peak: float  # factor at its height
    rise_s: float = 60.0
    fade_s: float = 600.0

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """With a peak of 5: 1 before, 5 after the rise, 1 + 4/e a fade later."""
        return 1 + (self.peak - 1) * _crowd(moments.since_s - self.after_s, self.rise_s, self.fade_s)


@dataclass(frozen=True, slots=True)
class FlashCrowds:
    """Flash crowds at random moments (a Poisson process), each up to a random height (Pareto, so few are huge)."""

    per_day: float = 1.0
    typical_peak: float = 2.0  # median factor of a crowd at its height
    rise_s: float = 60.0
    fade_s: float = 600.0

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:
        """1 between crowds; crowds that meet add up."""
        lasts_s = moments.at_s.size * moments.step_s
        count = int(random.poisson(self.per_day * lasts_s / DAY_S))
        after_s = np.sort(random.uniform(0.0, lasts_s, count))
        # Half of all Pareto(3) values exceed 2 ** (1 / 3), hence the scale.
        heights = (self.typical_peak - 1) * (1 + random.pareto(3.0, count)) / 2 ** (1 / 3)
        load = np.ones(moments.at_s.size)
        for at_s, height in zip(after_s, heights, strict=True):
            load += height * _crowd(moments.since_s - at_s, self.rise_s, self.fade_s)
        return load


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the load does not arrive, then what clients retry comes on top. Times since the start."""

    after_s: float
    lasts_s: float
    left_ratio: float = 0.0  # share that still arrives
    rebound: float = 1.0  # factor right after the end, fading
    fade_s: float = HOUR_S / 6

    def factor(self, moments: Moments, random: np.random.Generator) -> FloatArray:  # noqa: ARG002 - Shape's signature
        """With a rebound of 1.5: 1 before, 0 meanwhile, 1.5 at the end, fading back to 1."""
        after_end_s = moments.since_s - self.after_s - self.lasts_s
        down = (moments.since_s >= self.after_s) & (after_end_s < 0)
        back = 1 + (self.rebound - 1) * _crowd(after_end_s, 0.0, self.fade_s)
        return np.where(down, self.left_ratio, back)


def _crowd(since_s: FloatArray, rise_s: float, fade_s: float) -> FloatArray:
    """0 before, a straight rise to 1, then an exponential fade, `[step]`."""
    rising = since_s / rise_s if rise_s > 0 else np.ones(since_s.size)
    fading = np.exp(-np.maximum(0.0, since_s - rise_s) / fade_s)
    return np.where(since_s < 0, 0.0, np.minimum(rising, fading))

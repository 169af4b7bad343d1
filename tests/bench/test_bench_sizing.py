"""How well recorded usage is sized beside the VPA's method, KRR and the plain peak; how long 20,000 containers take."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from policies.resources.methods import METHODS, Aims
from policies.resources.model import DAY_S, HOUR_S, Containers, Present
from simulations.sizing.scores import scores
from simulations.sizing.usage_file import Usage
from simulations.sizing.walk import Rules, walked
from tests.simulations.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.arrays import FloatArray
    from policies.resources.model import Method

pytestmark = pytest.mark.bench

CONTAINERS, DAYS, STEP_S = 20_000, 8, 60.0
DAY = 1440


def _usage(rng: np.random.Generator, sample: int, level: FloatArray) -> FloatArray:
    """A wave of a day, noise, and a burst now and then, in cores."""
    wave = 1.0 + 0.6 * np.sin(2 * np.pi * (sample % DAY) / DAY)
    burst = np.where(rng.random(level.size) < 0.001, 4.0, 1.0)
    return np.asarray(level * wave * burst * rng.uniform(0.8, 1.2, level.size))


@pytest.mark.parametrize("name", ["vpa", "foresail"])
def test_full_pass_and_tick(name: str) -> None:
    rng = np.random.default_rng(0)
    level = rng.lognormal(-1.0, 1.0, CONTAINERS)
    method: Method[Any] = METHODS[name](Aims())
    small = method.start(Containers("cpu", np.full(2, STEP_S)))
    for sample in range(61):  # compiled before the clock runs
        small = method.observe(small, np.full(2, sample * STEP_S), np.ones(2))
    method.recommend(small, np.full(2, 61 * STEP_S))
    state, spent_s = method.start(Containers("cpu", np.full(CONTAINERS, STEP_S))), 0.0
    for sample in range(DAYS * DAY):
        usage, at_s = _usage(rng, sample, level), np.full(CONTAINERS, sample * STEP_S)
        began_s = time.process_time()
        state = method.observe(state, at_s, usage)
        spent_s += time.process_time() - began_s
    at_s = np.full(CONTAINERS, DAYS * DAY * STEP_S)
    began_s = time.process_time()
    advice = method.recommend(state, at_s)
    told_s = time.process_time() - began_s
    present = Present(advice.target, np.full(CONTAINERS, 8.0))
    ticks = []
    for minute in range(60):
        usage = _usage(rng, DAYS * DAY + minute, level)
        began_s = time.process_time()
        state = method.observe(state, at_s + minute * STEP_S, usage)
        method.urgent(state, at_s, present)
        ticks.append(time.process_time() - began_s)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(  # noqa: T201 - a benchmark's figures
        f"\n{name}: {CONTAINERS:,} containers x {DAYS} days of minutes: {spent_s:.1f} s of CPU, "
        f"recommend {told_s:.2f} s, "
        f"a usual tick {1000 * float(np.median(ticks)):.1f} ms, that of the hour {1000 * max(ticks):.0f} ms, "
        f"peak memory of the process {peak_mib:.0f} MiB"
    )
    assert np.isfinite(advice.target).all()


# Method, share asked to be above, changes a day asked, time between decisions.
CPU_ROWS = [
    *(("vpa", 0.01, 8.0, HOUR_S), ("vpa", 0.01, 1.0, DAY_S), ("krr", 0.01, 8.0, HOUR_S), ("krr", 0.01, 1.0, DAY_S)),
    ("static", 0.01, 8.0, HOUR_S),
    *(("foresail", share, changes, HOUR_S) for changes in (8.0, 4.0) for share in (0.0417, 0.01, 0.005)),
    *(("foresail", share, 1.0, DAY_S) for share in (0.05, 0.01)),
]


def test_cpu_of_recorded_usage() -> None:
    usage = _together(list(_cpu()))
    print("\nmethod, share asked, changes asked, every: slack, above, changes a day")  # noqa: T201 - figures
    for name, share, changes, every_s in CPU_ROWS:
        walk = walked(usage, METHODS[name](Aims(share, changes, every_s)), Rules("cpu", every_s, changes))
        found = np.array([(each.slack_ratio, each.overrun_ratio, each.changes_per_day) for each in scores(walk)], float)
        slack, above, made = found.mean(axis=0)
        print(f"{name}, {share:.2%}, {changes:g}, {every_s:g} s: {slack:.3f}, {above:.2%}, {made:.1f}")  # noqa: T201
        assert found.shape == (14, 3)


def test_memory_of_recorded_usage() -> None:
    usage = _together([(np.arange(each.size, dtype=np.float64) * 300.0, each) for each in _memory()])
    print("\nmethod: slack, kills a week, changes a day")  # noqa: T201 - figures
    for name in ("vpa", "krr", "static", "foresail"):
        found = np.array(
            [
                (each.slack_ratio, each.excursions_per_week, each.changes_per_day)
                for each in scores(walked(usage, METHODS[name](Aims()), Rules("memory")))
            ],
            float,
        )
        slack, kills, made = found.mean(axis=0)
        print(f"{name}: {slack:.3f}, {kills:.2f}, {made:.1f}")  # noqa: T201 - figures


def _cpu() -> Iterator[tuple[FloatArray, FloatArray]]:
    """Times and use of the series that are of CPU, or may be, each scaled to mean 1; what is missing is bridged."""
    for name in ("crane_workloads_dev_1m", "nab_cpu_dev_5m"):
        table = _table(name)
        series = np.array(table.column("series").to_pylist())
        at_s, value = (np.array(table.column(each).to_pylist(), float) for each in ("timestamp", "value"))
        for each in np.unique(series):
            if "disk" in each or "grok_asg" in each:
                continue
            rows = np.flatnonzero(series == each)
            rows = rows[np.argsort(at_s[rows])]
            known = rows[np.isfinite(value[rows])]
            step_s = float(np.median(np.diff(at_s[known])))
            grid = np.arange(at_s[known[0]], at_s[known[-1]] + step_s / 2, step_s)
            used = np.interp(grid, at_s[known], value[known])
            yield grid, used / used.mean()


def _memory() -> Iterator[FloatArray]:
    """Bytes of memory of each machine, every five minutes of a day: of 64 GiB, in thousandths."""
    for each in _table("google_2011_vms_dev_5m").column("mem_pct").to_pylist():
        yield np.maximum(np.array(each, float), 0.0) * (64 * 2**30 / 1000)


def _together(series: list[tuple[FloatArray, FloatArray]]) -> Usage:
    starts = np.cumsum([0, *(at_s.size for at_s, _ in series)])
    at_s, value = (np.concatenate([each[part] for each in series]) for part in (0, 1))
    return Usage(tuple(str(n) for n in range(len(series))), starts, at_s, value)


def _table(name: str) -> Any:  # noqa: ANN401 - a pyarrow table, whose types are not published
    path = SHARED / "data" / "usage" / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set FORESAIL_SHARED to the folder that holds data/usage/")
    return pq.read_table(path)

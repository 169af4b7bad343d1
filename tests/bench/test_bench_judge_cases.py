"""What each part of the layer contributes, five-minute loads as a frontier, weekdays and flash crowds, as Markdown."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from simulations.backtest import Aim, plans_of
from simulations.contenders import Daemon, Hpa, parse_contender
from simulations.scenario import Pace, Scenario
from simulations.serving import Serving, late
from simulations.traffic import Daily, FlashCrowd, Noise, Traffic, Weekly, generate
from tests.bench import ablation, judged
from tests.bench.judged import STAR, STEP_S, STEPS_A_DAY, Asked, Days, Setting, geometric, header, row, show
from tests.simulations.shared import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from policies.arrays import FloatArray, IntArray
    from simulations.contenders import Contender

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

LIMIT = 0.01
MINUTES, FIVES = judged.names("*_1m.parquet"), judged.names("*_5m.parquet")
STARTUPS_S = (60.0, 300.0)
OBJECTIVES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.10, 0.30)
TARGETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
MONDAY_S = 1_700_438_400.0
MONDAYS = (7, 14, 21, 28, 35)  # days
SEEDS = range(3)
PREDICTIVE = Daemon("predictive")
PARTS = (*ablation.PARTS, *ablation.FROZEN)


class Point(NamedTuple):
    """Late share, and cost over the clairvoyant's."""

    late: float
    cost: float


@pytest.mark.skipif(not FIVES, reason=f"{judged.LOADS} holds no five-minute loads: set FORESAIL_SHARED")
def test_five_minute_loads_as_a_frontier() -> None:
    every = itertools.product(FIVES, STARTUPS_S, OBJECTIVES)
    jobs = [Asked(name, startup_s, objective=objective) for name, startup_s, objective in every]
    ours = judged.at_once(point_of, jobs)
    rules = judged.at_once(hpa_point, list(itertools.product(FIVES, STARTUPS_S, TARGETS)))
    lines = header("policy", *(f"{startup_s:g} s" for startup_s in STARTUPS_S))
    for objective in OBJECTIVES:
        told = [[ours[Asked(n, startup_s, objective=objective)] for n in FIVES] for startup_s in STARTUPS_S]
        lines.append(row(f"predictive, objective {100 * objective:g} %", *map(mean_point, told)))
    for target in TARGETS:
        told = [[rules[name, startup_s, target] for name in FIVES] for startup_s in STARTUPS_S]
        lines.append(row(f"HPA at {target:.2f}", *map(mean_point, told)))
    lines += ["", "Cost in geometric mean / late % in mean over the loads. Below: predictive as late as HPA at 70 %."]
    lines += header("load", "start-up", "HPA at 70 %", "predictive as late", "HPA as dear as predictive at 1 %")
    for name, startup_s in itertools.product(sorted(FIVES), STARTUPS_S):
        frontier = sorted(ours[Asked(name, startup_s, objective=each)] for each in OBJECTIVES)
        plain = sorted(rules[name, startup_s, target] for target in TARGETS)
        hpa, usual = rules[name, startup_s, 0.7], ours[Asked(name, startup_s)]
        lateness, cost = (np.array([getattr(each, field) for each in frontier]) for field in Point._fields)
        alike = float(np.interp(hpa.late, lateness, cost))
        words = f"{100 * (alike / hpa.cost - 1):+.0f} % cost"
        if not lateness[0] <= hpa.late <= lateness[-1]:
            words += f" (at {100 * lateness[0 if hpa.late < lateness[0] else -1]:.1f} % late)"
        theirs = float(np.interp(usual.cost, [each.cost for each in plain][::-1], [each.late for each in plain][::-1]))
        cells = (f"{hpa.cost:.3f} / {100 * hpa.late:.2f}", words)
        dear = f"{100 * theirs:.2f} % late, predictive {usual.cost:.3f} / {100 * usual.late:.2f}"
        lines.append(row(name.removesuffix("_5m"), f"{startup_s:g} s", *cells, dear))
    show(*lines)
    assert len(ours) == len(FIVES) * len(STARTUPS_S) * len(OBJECTIVES)


def point_of(asked: Asked) -> Point:
    """Where Foresail ends with this objective."""
    return scored_point(asked.trace, asked.startup_s, PREDICTIVE, Aim(asked.objective))


def hpa_point(job: tuple[str, float, float]) -> Point:
    name, startup_s, target = job
    return scored_point(name, startup_s, Hpa("", target), Aim())


def scored_point(name: str, startup_s: float, policy: Contender, aim: Aim) -> Point:
    trace = judged.trace(name)
    scenario = trace.scenario(Setting(startup_s))
    days = judged.days_of(plans_of(policy, [scenario], aim)[0], scenario, trace.steps.warmup_steps)
    return Point(days.late_ratio, days.ratio)


def mean_point(points: list[Point]) -> str:
    return f"{geometric([each.cost for each in points]):.3f} / {100 * np.mean([each.late for each in points]):.2f}"


@pytest.mark.skipif(not MINUTES, reason=f"{judged.LOADS} holds no one-minute loads: set FORESAIL_SHARED")
def test_what_each_part_contributes(tmp_path: Path) -> None:
    settings = tuple(Setting(startup_s) for startup_s in STARTUPS_S)
    best = judged.at_once(judged.tuned, [(name, settings, (LIMIT,)) for name in MINUTES])
    star = {
        (job[0], place[0].startup_s): each.days
        for job, of in best.items()
        for place, each in of.items()
        if place[2] == STAR
    }
    lines = header("taken out", *(f"excess of {STAR} / late, mean (most), {each:g} s" for each in STARTUPS_S))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ran = dict(zip(PARTS, pool.map(lambda part: taken_out(part, tmp_path), PARTS), strict=True))
    for part, found in ran.items():
        cells = []
        for startup_s in STARTUPS_S:
            reached = [name for name in MINUTES if (name, startup_s) in star]
            mine = [found[name, startup_s] for name in reached]
            excess = [max(each.ratio - 1, judged.LEAST) for each in mine]  # late plans may cost less than one in time
            ratios = [each / (star[name, startup_s].ratio - 1) for name, each in zip(reached, excess, strict=True)]
            missed = [100 * each.late_ratio for each in mine]
            cells.append(f"{geometric(ratios):.3f} / {np.mean(missed):.2f} ({max(missed):.2f})")
        lines.append(row(part, *cells))
    show(*lines)
    assert len(ran) == len(PARTS)


def taken_out(part: str, folder: Path) -> dict[tuple[str, float], Days]:
    """Figures of every load and start-up without one part."""
    place = folder / part.replace(" ", "-")
    place.mkdir()
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(place)} if part in ablation.FROZEN else {})}
    command = [sys.executable, "-m", "tests.bench.ablation", part, str(place)]
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    found = {}
    for name, startup_s in itertools.product(MINUTES, STARTUPS_S):
        trace = judged.trace(name)
        plan = np.load(place / f"{name}.{startup_s:g}.npy")
        found[name, startup_s] = judged.days_of(plan, trace.scenario(Setting(startup_s)), trace.steps.warmup_steps)
    return found


def replicas_of(load: Callable[[int], Traffic], days: int, startup_s: float) -> list[Scenario]:
    """Generated loads by the minute from a Monday on, in replicas at the serving limit, one per seed."""
    serving = Serving(STEP_S, 1 / judged.SERVING_LIMIT, judged.SERVING_LIMIT, startup_s)
    known = np.ones(days * STEPS_A_DAY, np.bool_)
    minutes = [generate(load(seed), start_s=MONDAY_S, steps=days * STEPS_A_DAY // 2, step_s=60.0) for seed in SEEDS]
    return [Scenario(each.repeat(2), known, MONDAY_S, Pace(), serving) for each in minutes]


def by_day(policy: Contender, scenarios: list[Scenario]) -> tuple[FloatArray, FloatArray]:
    """Cost over the clairvoyant's and late % of each day, the mean over loads, `[day]`."""
    plans = plans_of(policy, scenarios)
    found = [judged.days_of(plan, scenario, 0) for plan, scenario in zip(plans, scenarios, strict=True)]
    cost = np.mean([each.cost / each.clairvoyant for each in found], axis=0)
    return cost, 100 * np.mean([each.late / each.load for each in found], axis=0)


@pytest.mark.parametrize("startup_s", STARTUPS_S)
def test_mondays_after_quiet_weekends(startup_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    weekly = Weekly((1.0, 1.0, 1.0, 1.0, 1.0, 0.35, 0.35))
    scenarios = replicas_of(lambda seed: Traffic(25.0, (Daily(0.4), weekly, Noise(0.05, 600.0)), seed), 36, startup_s)
    plans = {"predictive": plans_of(PREDICTIVE, scenarios)}
    with monkeypatch.context() as patch:
        ablation.no_week(patch)
        plans["predictive without a week ago"] = plans_of(PREDICTIVE, scenarios)
    plans |= {text: plans_of(parse_contender(text), scenarios) for text in ("reactive", "hpa:0.70")}
    columns = [f"first hour of Monday {1 + day // 7}" for day in MONDAYS]
    lines = header(f"start-up {startup_s:g} s", *columns, "cost and late from week 2 on")
    for words, of in plans.items():
        hours, rest = zip(*(mondays(*pair) for pair in zip(of, scenarios, strict=True)), strict=True)
        cost, late = np.mean(rest, axis=0)
        lines.append(
            row(words, *(f"{100 * each:.1f}" for each in np.mean(hours, axis=0)), f"{cost:.3f} / {100 * late:.2f}")
        )
    show(*lines, "", f"Late %, {len(SEEDS)} loads; at midnight to Monday a load grows by a factor of 2.9.")
    assert len(lines) == 3 + 4


def mondays(plan: IntArray, scenario: Scenario) -> tuple[list[float], tuple[float, float]]:
    """Late share of the first hour of each Monday; and cost and late share of all that is after the first week."""
    missed, hour = late(plan, scenario.demand, scenario.serving), STEPS_A_DAY // 24
    begins = [day * STEPS_A_DAY for day in MONDAYS]
    hours = [float(missed[at : at + hour].sum() / scenario.demand[at : at + hour].sum()) for at in begins]
    days = judged.days_of(plan, scenario, begins[0])
    return hours, (days.ratio, days.late_ratio)


@pytest.mark.parametrize("startup_s", STARTUPS_S)
def test_days_after_a_flash_crowd(startup_s: float) -> None:
    at_s = 10.5 * 86400.0

    def calm(seed: int) -> Traffic:
        return Traffic(20.0, (Daily(0.4), Noise(0.05, 600.0)), seed)

    def crowded(seed: int) -> Traffic:
        return Traffic(20.0, (*calm(seed).shapes, FlashCrowd(at_s, 5.0, 120.0, 3600.0)), seed)

    spans = {"days 8 to 10": slice(7, 10), "its day": slice(10, 11), "day 12": slice(11, 12), "13": slice(12, 13)}
    spans |= {"14 to 16": slice(13, 16), "17 to 20": slice(16, 20)}
    lines = header(f"start-up {startup_s:g} s", *spans)
    for policy in (PREDICTIVE, parse_contender("reactive"), parse_contender("hpa:0.70")):
        for words, load in (("with the crowd", crowded), ("without", calm)):
            cost, missed = by_day(policy, replicas_of(load, 20, startup_s))
            cells = (f"{cost[span].mean():.3f} / {missed[span].mean():.2f}" for span in spans.values())
            lines.append(row(f"{policy.text}, {words}", *cells))
    show(*lines, "", f"Cost / late %, {len(SEEDS)} loads; five times the load within two minutes, fading over an hour.")
    assert len(lines) == 3 + 6

"""The judge's comparison on the one-minute loads of shared/data/load, trace by trace, as Markdown.

Foresail with one set of constants beside the Kubernetes rule at 70 %, the same tuned in hindsight for that very load
(HPA*: target; HPA**: target, tolerance and window; late at most the objective), and Knative's autoscaler.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulations.backtest import plan_of
from simulations.contenders import parse_contender
from simulations.scenario import scored
from tests.bench import judged
from tests.bench.judged import STAR, STARS, Asked, Setting, geometric, header, row, show
from tests.simulations.shared import judge_module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.arrays import IntArray
    from tests.bench.judged import Days, Tuned

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

STARTUPS_S = (60.0, 300.0)
LIMIT = 0.01
HPA, KPA, REACTIVE, PREDICTIVE = "HPA 70 %", "KPA", "reactive", "predictive"
NAMES = judged.names("*_1m.parquet")
HEADLINE = tuple(Setting(startup_s) for startup_s in STARTUPS_S)
OTHERS = {
    "objective 0.1 %": ([Setting(60.0), Setting(300.0)], 0.001),
    "3 replicas at the peak": ([Setting(60.0, 3), Setting(300.0, 3)], LIMIT),
    "8 replicas at the peak": ([Setting(60.0, 8), Setting(300.0, 8)], LIMIT),
    "start-up 600 and 900 s": ([Setting(600.0), Setting(900.0)], LIMIT),
    "release dwell 600 s": ([Setting(60.0, dwell_s=600.0), Setting(300.0, dwell_s=600.0)], LIMIT),
}

Found = dict[tuple[str, Setting, float, str], "Tuned"]


@pytest.fixture(scope="module", autouse=True)
def loads() -> list[str]:
    if not NAMES:
        pytest.skip(
            f"{judged.LOADS} holds no one-minute loads: set FORESAIL_SHARED to the folder that holds data/load/"
        )
    return NAMES


@pytest.fixture(scope="module")
def plans() -> dict[Asked, IntArray]:
    """What Foresail decides in the headline's settings."""
    jobs = itertools.product(NAMES, STARTUPS_S, (True, False))
    return judged.at_once(judged.planned, [Asked(name, startup_s, forecast=ahead) for name, startup_s, ahead in jobs])


@pytest.fixture(scope="module")
def hindsight() -> Found:
    return tuned_for(HEADLINE, LIMIT)


def tuned_for(settings: Sequence[Setting], limit: float) -> Found:
    """What the Kubernetes rule could have been told in hindsight, for settings of one peak."""
    jobs = [(name, tuple(settings), (limit,)) for name in NAMES]
    found = judged.at_once(judged.tuned, jobs)
    return {(job[0], *place): best for job, all_of in found.items() for place, best in all_of.items()}


def days_of(name: str, setting: Setting, plan: IntArray) -> Days:
    trace = judged.trace(name)
    return judged.days_of(plan, trace.scenario(setting), trace.steps.warmup_steps)


def plain(name: str, setting: Setting, policy: str) -> Days:
    return days_of(name, setting, plan_of(parse_contender(policy), judged.trace(name).scenario(setting)))


def cell(days: Days) -> str:
    return f"{days.ratio:.3f} / {100 * days.late_ratio:.2f}"


def best_cell(best: Tuned | None) -> str:
    return f"{best.target:.2f}: {cell(best.days)}" if best else "cannot"


def share_cell(days: Sequence[Days], others: Sequence[Days], *, less: float = 1.0) -> str:
    share, low, high = judged.relative(days, others, less=less)
    return f"{share:.2f} ({low:.2f}..{high:.2f})"


def means(found: Mapping[str, Days], best: Mapping[tuple[str, str], Tuned], *, less: float = 1.0) -> list[str]:
    """Cost of one policy relative to HPA*'s and HPA**'s in geometric mean, where HPA* keeps the limit."""
    reached = [name for name in found if (name, STAR) in best]
    mine = [found[name] for name in reached]
    return [share_cell(mine, [best[name, kind].days for name in reached], less=less) for kind in (STAR, STARS)]


def test_table_by_trace_and_startup(plans: Mapping[Asked, IntArray], hindsight: Found) -> None:
    columns = (HPA, f"{STAR} (target)", f"{STARS} (target)", KPA, REACTIVE, PREDICTIVE, "90 % of its late share")
    lines = header("trace", "start-up", *columns, f"excess of {STAR}", f"of {STARS}", f"churn {STAR} / predictive")
    figures: dict[tuple[float, str], dict[str, Days]] = defaultdict(dict)
    for setting, name in itertools.product(HEADLINE, sorted(NAMES)):
        startup_s = setting.startup_s
        best = {kind: hindsight.get((name, setting, LIMIT, kind)) for kind in (STAR, STARS)}
        by_policy = {
            HPA: plain(name, setting, "hpa:0.70"),
            KPA: plain(name, setting, "kpa"),
            REACTIVE: days_of(name, setting, plans[Asked(name, startup_s, forecast=False)]),
            PREDICTIVE: days_of(name, setting, plans[Asked(name, startup_s)]),
        }
        for policy, days in by_policy.items():
            figures[startup_s, policy][name] = days
        ours = by_policy[PREDICTIVE]
        low, high = judged.late_interval(ours)
        star = best[STAR]
        lines.append(
            row(
                name.removesuffix("_1m"),
                f"{startup_s:g} s",
                cell(by_policy[HPA]),
                *(best_cell(each) for each in best.values()),
                *(cell(by_policy[policy]) for policy in (KPA, REACTIVE, PREDICTIVE)),
                f"{100 * low:.2f}..{100 * high:.2f}",
                *(share_cell([ours], [each.days]) if each else "" for each in best.values()),
                f"{star.days.churn:.0f} / {ours.churn:.0f}" if star else f"- / {ours.churn:.0f}",
            )
        )
    told = (f"excess of {STAR}", f"of {STARS}", "traces above 1 %", "latest", "cost, geometric mean")
    lines += header("policy", "start-up", *told)
    for (startup_s, policy), found in figures.items():
        setting = Setting(startup_s)
        best_of = {(n, kind): each for (n, where, _, kind), each in hindsight.items() if where == setting}
        late = [days.late_ratio for name, days in found.items() if (name, STAR) in best_of]
        above = f"{sum(each > LIMIT for each in late)} of {len(late)}"
        shares = means(found, best_of) if policy in (REACTIVE, PREDICTIVE) else ["", ""]
        cost = f"{geometric([days.ratio for name, days in found.items() if (name, STAR) in best_of]):.3f}"
        lines.append(row(policy, f"{startup_s:g} s", *shares, above, f"{100 * max(late):.2f} %", cost))
    show(*lines, "", f"Means are over the traces where {STAR} keeps 1 %; intervals are of 90 %, days drawn anew.")
    assert len(figures) == 8


def test_figures_are_the_judges(plans: Mapping[Asked, IntArray], hindsight: Found) -> None:
    replay, protocol, baselines = (judge_module(name) for name in ("replay", "protocol", "baselines"))
    for asked, plan in plans.items():
        trace = judged.trace(asked.trace)
        scenario, begin = trace.scenario(Setting(asked.startup_s)), protocol.warm(trace.steps.at_s)
        demand, capacity = trace.steps.demand, protocol.capacity(trace.steps.demand)
        rest = (demand[begin:], protocol.STEP, capacity, protocol.SLO, asked.startup_s)
        theirs = replay.judge(plan[begin:], *rest)
        ours = asdict(scored(plan, scenario, warmup_steps=begin))
        days = days_of(asked.trace, Setting(asked.startup_s), plan)
        assert (ours["cost_ratio"], ours["late_ratio"]) == pytest.approx((theirs["cost_ratio"], theirs["late"]))
        assert (days.ratio, days.late_ratio) == pytest.approx((theirs["cost_ratio"], theirs["late"]))
        assert days.churn == pytest.approx(theirs["churn_per_day"])
    for (name, setting, _, _), best in hindsight.items():
        demand = judged.trace(name).steps.demand
        begin, capacity = protocol.warm(judged.trace(name).steps.at_s), protocol.capacity(demand)
        told = {"down_window": best.window_s, "tolerance": best.tolerance}
        plan = baselines.hpa(demand, protocol.STEP, capacity, best.target, 1, **told)
        rest = (demand[begin:], protocol.STEP, capacity, protocol.SLO, setting.startup_s)
        theirs = replay.judge(plan[begin:], *rest)
        # A load on the very edge of the tolerance is within it after one way of rounding, and not after the other.
        assert best.days.ratio == pytest.approx(theirs["cost_ratio"], rel=1e-3)
        assert best.days.late_ratio == pytest.approx(theirs["late"], rel=0.02)


def test_other_settings() -> None:
    lines = header("setting", "start-up", PREDICTIVE, HPA, STAR, f"cost of {STAR}'s", f"of {STARS}'s", "above")
    for words, (settings, limit) in OTHERS.items():
        jobs = [Asked(name, each.startup_s, each.peak, limit) for each in settings for name in NAMES]
        plans = judged.at_once(judged.planned, jobs)
        best = tuned_for(settings, limit)
        for setting in settings:
            best_of = {(n, kind): each for (n, where, _, kind), each in best.items() if where == setting}
            reached = [name for name in NAMES if (name, STAR) in best_of]
            asked = {name: Asked(name, setting.startup_s, setting.peak, limit) for name in reached}
            ours = {name: days_of(name, setting, plans[asked[name]]) for name in reached}
            hpa = {name: plain(name, setting, "hpa:0.70") for name in reached}
            star = {name: best_of[name, STAR].days for name in reached}
            above = sum(ours[name].late_ratio > limit for name in reached)
            lines.append(
                row(
                    words,
                    f"{setting.startup_s:g} s",
                    *(summary(each) for each in (ours, hpa, star)),
                    *means(ours, best_of, less=0.0),
                    f"{above} of {len(reached)}",
                )
            )
    show(
        *lines, "", f"Cost in geometric mean / late % in mean (largest), over the traces where {STAR} keeps the limit."
    )
    assert len(lines) == 3 + 2 * len(OTHERS)


def summary(found: Mapping[str, Days]) -> str:
    late = {name: 100 * days.late_ratio for name, days in found.items()}
    latest = max(late, key=late.__getitem__)
    cost = geometric([days.ratio for days in found.values()])
    return f"{cost:.3f} / {np.mean(list(late.values())):.2f} ({late[latest]:.2f} {latest.removesuffix('_1m')})"


def test_cold_start(plans: Mapping[Asked, IntArray]) -> None:
    lines = header("day", *(f"{policy}, {each:g} s" for each in STARTUPS_S for policy in (PREDICTIVE, HPA)))
    by_column: list[list[Days]] = []
    for setting in HEADLINE:
        for policy in (PREDICTIVE, HPA):
            column = []
            for name in NAMES:
                scenario = judged.trace(name).scenario(setting)
                rule = parse_contender("hpa:0.70")
                ours = policy == PREDICTIVE
                plan = plans[Asked(name, setting.startup_s)] if ours else plan_of(rule, scenario)
                column.append(judged.days_of(plan, scenario, 0))
            by_column.append(column)
    for day in range(7):
        cells = []
        for column in by_column:
            there = [each for each in column if each.steps // judged.STEPS_A_DAY > day]
            cost = geometric([float(each.cost[day] / each.clairvoyant[day]) for each in there])
            late = [float(each.late[day] / each.load[day]) for each in there]
            cells.append(f"{cost:.3f} / {100 * np.mean(late):.2f} ({100 * max(late):.2f})")
        lines.append(row(day + 1, *cells))
    show(*lines, "", "Scored from the first step: cost in geometric mean / late % in mean (largest) over traces.")
    assert len(lines) == 10

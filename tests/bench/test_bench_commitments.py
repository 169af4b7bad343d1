"""Commitments: `mix plan` against the linear program on every recorded load, its regret, and two drifting years."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from policies.mix.commitments import Prices, Term
from policies.mix.hours import HOUR_S
from tests.bench import drifting
from tests.bench.drifting import BEFORE, TRENDS, HoldNow, Newsvendor, QuantileLadder
from tests.bench.judged import header, row, show
from tests.controller.cli.shared import run
from tests.policies.mix.optimum import constant_optimum, drifting_optimum
from tests.simulations.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from policies.mix.hours import Hours

    Cases = dict[str, list[float]]

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there: set FORESAIL_SHARED"),
]

YEAR, THREE = Term("1y", 52, 0.63), Term("3y", 156, 0.43)
SPOT = 0.35
OFFERS = {
    f"{'+'.join(term.name for term in terms)}, {f'spot {share:.0%}' if share else 'no spot'}": Prices(
        1, terms, SPOT if share else None, share
    )
    for terms in ((YEAR,), (THREE,), (YEAR, THREE))
    for share in (0.0, 0.3, 0.5)
}


def planned(path: Path, prices: Prices, *more: str) -> dict[str, float]:
    """What the command says."""
    terms = [word for term in prices.terms for word in ("--commitment", f"{term.name}={term.price}")]
    spot = [] if prices.spot is None else ["--spot", str(prices.spot), "--spot-share", str(prices.spot_share)]
    done = run("mix", "plan", "--demand", str(path), "--on-demand", "1.0", *terms, *spot, *more, "-o", "json")
    assert done.exit_code == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def written(hours: Hours, path: Path) -> Path:
    """Hours as a load file, one sample each; unknown ones have none."""
    known = np.isfinite(hours.units)
    at_s = hours.start_s + HOUR_S * np.flatnonzero(known)
    pq.write_table(pa.table({"timestamp": pa.array(at_s), "value": pa.array(hours.units[known])}), path)
    return path


def test_plans_for_what_is_known_against_the_linear_program(tmp_path: Path) -> None:
    above: Cases = {offer: [] for offer in OFFERS}
    for trace, hours in drifting.hourly().items():
        path = written(hours, tmp_path / f"{trace}.parquet")
        for offer, prices in OFFERS.items():
            figures, optimum = planned(path, prices), constant_optimum(hours.known, prices)
            assert figures["lower_bound_usd"] == pytest.approx(optimum, rel=1e-6)
            above[offer].append(figures["cost_usd"] / optimum - 1)
    title = f"{len(drifting.hourly())} loads: cost above the linear program's optimum, %"
    lines = [row(offer, f"{100 * np.mean(all_):.4f}", f"{100 * max(all_):.4f}") for offer, all_ in above.items()]
    show(title, *header("offer", "mean", "max"), *lines)
    assert max(map(max, above.values())) < 1e-3


def test_plans_on_the_first_half_pay_for_the_second(tmp_path: Path) -> None:
    regret: Cases = {offer: [] for offer in OFFERS}
    for trace, hours in drifting.hourly().items():
        path = written(hours, tmp_path / f"{trace}.parquet")
        half_s = hours.start_s + HOUR_S * (hours.units.size // 2)
        for offer, prices in OFFERS.items():
            figures = planned(path, prices, "--history-until", str(half_s))
            regret[offer].append(100 * (figures["cost_usd"] / figures["lower_bound_usd"] - 1))
    traces = list(drifting.hourly())
    lines = [
        row(offer, f"{np.mean(all_):.2f}", f"{np.median(all_):.2f}", f"{max(all_):.1f}", traces[int(np.argmax(all_))])
        for offer, all_ in regret.items()
    ]
    show("Seen the first half, paid the second: regret, %", *header("offer", "mean", "median", "max", "on"), *lines)
    assert max(float(np.median(all_)) for all_ in regret.values()) <= 0.3


@pytest.mark.parametrize(
    ("prices", "in_turn", "most"),
    [
        pytest.param(Prices(1, (YEAR,)), False, (2.0, 4.5), id="the-mean-week"),
        pytest.param(Prices(1, (YEAR,)), True, (2.0, 4.5), id="whole-weeks-in-turn"),
        pytest.param(Prices(1, (YEAR,), SPOT, 0.3), False, (2.0, 4.5), id="the-mean-week-with-spot"),
    ],
)
def test_two_drifting_years(prices: Prices, in_turn: bool, most: tuple[float, float]) -> None:  # noqa: FBT001
    policies: dict[str, Callable[[drifting.Run], float]] = {
        "no commitments": lambda each: drifting.uncommitted(each, prices),
        "newsvendor of 4 weeks, once a year": lambda each: drifting.paid(
            each, Newsvendor(prices), prices, every_weeks=drifting.YEAR
        ),
        "newsvendor of 4 weeks, topped up": lambda each: drifting.paid(each, Newsvendor(prices), prices),
        "hold now (Foresail)": lambda each: drifting.paid(each, HoldNow(prices), prices),
    }
    if prices.spot is None:
        policies["quantile ladder"] = lambda each: drifting.paid(each, QuantileLadder(prices), prices)
    trend, regret = [], {name: list[float]() for name in policies}
    for each in drifting.runs(in_turn=in_turn):
        optimum = drifting_optimum(each.demand[BEFORE:], prices)
        trend.append(each.trend)
        for name, pays in policies.items():
            regret[name].append(100 * (pays(each) / optimum - 1))
    lines = []
    for name, all_ in regret.items():
        groups = [np.array(all_), *(np.array(all_)[np.array(trend) == each] for each in TRENDS)]
        lines.append(row(name, *(f"{group.mean():.2f} / {np.quantile(group, 0.9):.2f}" for group in groups)))
    head = header("policy", "all", *(f"{each:+.0%} a year" for each in TRENDS))
    show(f"{len(trend)} runs of two years: regret, %; mean / 90th percentile", *head, *lines)
    ours = np.array(regret["hold now (Foresail)"])
    assert ours.mean() <= most[0]
    assert np.quantile(ours, 0.9) <= most[1]

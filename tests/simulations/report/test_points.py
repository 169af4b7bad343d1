"""Points, curves and bars: where things are drawn."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from simulations.report.bars import Bar, Bars, bars_svg
from simulations.report.estimates import estimate_text, figure_text, saving_text
from simulations.report.points import Around, Curve, Curves, Point, Scatter, curves_svg, scatter_svg
from simulations.whatif.answer import Estimate


def numbers(pattern: str, text: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, found)) for found in re.findall(pattern, text)]


def test_points_stand_at_their_figures_with_their_intervals() -> None:
    points = [
        Point("a", "c0", Around(0.0), Around(0.0)),
        Point("b<c", "c1", Around(4.0, 2.0, 6.0), Around(2.0, -1.0, 4.0), ringed=True, tag="best"),
    ]
    drawn = scatter_svg(Scatter("both", "cost", "late", points, [("c0", "a")]))
    (x0, y0), (x1, y1) = numbers(r'class="dot c\d" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    whiskers = numbers(r'class="whisker c1" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', drawn)
    left, low, right, high = whiskers[0][0], whiskers[1][1], whiskers[0][2], whiskers[1][3]
    assert (left - x0) / (x1 - x0) == pytest.approx(0.5, abs=0.01)  # 2 of 4
    assert (right - x0) / (x1 - x0) == pytest.approx(1.5, abs=0.01)
    assert low == y0  # nothing is late less than never
    assert (y0 - high) / (y0 - y1) == pytest.approx(2, abs=0.01)
    assert drawn.count('class="ring"') == 1
    assert "<title>b&lt;c</title>" in drawn
    assert ">best</text>" in drawn


def test_curves_go_through_values_at_even_distances() -> None:
    curve = Curve("a", "c0", [Around(0.0), Around(5.0, 4.0, 6.0), Around(10.0)])
    drawn = curves_svg(Curves("Cost", "USD", "place", ["x", "y", "z"], [curve]))
    (x0, y0), (x1, y1), (x2, y2) = numbers(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert all(f">{label}</text>" in drawn for label in "xyz")


def test_a_single_value_is_drawn() -> None:
    assert curves_svg(Curves("Cost", "USD", "place", ["x"], [Curve("a", "c0", [Around(1.0)])])).count("<circle") == 1


def test_what_lowers_a_sum_stands_left_of_zero() -> None:
    bars = Bars(
        "Drivers", "USD", [("c0", "a"), ("c1", "b"), ("c2", "c")], [Bar("one", [30.0, -10.0, 10.0])], marked=True
    )
    drawn = bars_svg(bars)
    ((zero, _),) = numbers(r'class="mark" x1="([\d.]+)" x2="([\d.]+)"', drawn)
    (ax, aw), (bx, bw), (cx, cw) = numbers(r'class="bar c\d" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert (ax, bx + bw, cx) == pytest.approx((zero, zero, ax + aw), abs=0.2)
    assert (aw, cw) == pytest.approx((3 * bw, bw), rel=0.01)
    ((total,),) = [(x,) for x, _ in numbers(r'class="sum" x1="([\d.]+)" x2="([\d.]+)"', drawn)]
    assert total - zero == pytest.approx(3 * bw, rel=0.01)  # 30 - 10 + 10
    assert bars_svg(replace(bars, bars=[Bar("one", [0.0, 0.0, 0.0])])).count("<rect") == 0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("cost", 12345.6, "12,346", id="much-money"),
        pytest.param("cost", -3.456, "-3.46", id="little-money"),
        pytest.param("late_ratio", 0.0123, "1.23 %", id="a-share"),
        pytest.param("late_ratio", -0.0005, "-0.05 %", id="a-smaller-share"),
        pytest.param("available_time_ratio", 0.99954, "99.954 %", id="availability"),
        pytest.param("change", 12.0, "+12.00", id="a-change"),
        pytest.param("change", -1e-12, "0.00", id="no-change"),
        pytest.param("replicas", 18.149, "18.1", id="replicas"),
    ],
)
def test_figures_are_told_in_their_own_form(name: str, value: float, told: str) -> None:
    assert figure_text(name, value) == told


def test_savings_and_their_intervals_are_told_in_words() -> None:
    assert saving_text(Estimate(0.2, 0.17, 0.23)) == "saves 20 ±3 %"
    assert saving_text(Estimate(-0.2, -0.22, -0.18)) == "costs 20 ±2 % more"


@pytest.mark.parametrize(
    ("name", "estimate", "told"),
    [
        pytest.param("cost", Estimate(4028.4, 4016.3, 4040.5), "4,028 ±12", id="money"),
        pytest.param("cost", Estimate(842.99, 840.6, 845.38), "843 ±2", id="one-digit-of-the-half"),
        pytest.param("cost", Estimate(842.99, 841.7, 844.28), "843.0 ±1.3", id="two-digits-where-the-first-is-1"),
        pytest.param("cost", Estimate(2.0, None, None), "2.00", id="a-single-run"),
        pytest.param("cost", Estimate(360.0, 360.0, 360.0), "360.00", id="no-chance"),
        pytest.param("late_ratio", Estimate(0.0074, 0.0065, 0.0083), "0.74 ±0.09 %", id="share"),
        pytest.param("late_ratio", Estimate(0.0002, 0.0, 0.0005), "0.02 ±0.03 %", id="an-interval-that-ends-at-0"),
        pytest.param("saving_ratio", Estimate(0.16638, 0.16618, 0.16658), "16.64 ±0.02 %", id="four-digits-of-a-mean"),
        pytest.param("change", Estimate(447.7, 409.7, 485.7), "+448 ±38", id="dearer"),
        pytest.param("change", Estimate(-1.2, -4.2, 1.8), "-1 ±3", id="cheaper"),
        pytest.param("change", Estimate(0.1, -2.9, 3.1), "+0.1 ±3.0", id="a-digit-of-the-mean"),
    ],
)
def test_an_interval_is_told_by_its_half(name: str, estimate: Estimate, told: str) -> None:
    assert estimate_text(name, estimate) == told

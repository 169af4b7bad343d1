"""Plots: extremes are kept, gaps stay gaps, ticks are round, and text is escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from simulations.report.axes import number_ticks, time_ticks
from simulations.report.charts import Line, Plot, Range, svg
from simulations.report.thinning import thinned

WEDNESDAY_S = 1_700_006_400.0  # 00:00 UTC


def test_every_peak_survives_thinning() -> None:
    value = np.zeros(40_000)
    value[[17, 20_001, 39_998]] = [5.0, -3.0, 9.0]
    kept = thinned(value)
    assert kept.size <= 1000
    assert {17, 20_001, 39_998} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_a_gap_survives_thinning() -> None:
    value = np.ones(40_000)
    value[100:20_000] = np.nan
    value[30_000] = np.nan
    index = thinned(value)
    inside = (index >= 160) & (index < 20_000)
    # Of each stretch of 80 points one is kept, and it is missing; so is the single missing one of a stretch.
    assert inside.sum() == 248
    assert np.isnan(value[index[inside]]).all()
    assert 30_000 in index


def test_few_points_are_all_kept() -> None:
    assert thinned(np.arange(10.0)).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("high", "labels"),
    [
        pytest.param(7, ["0", "2", "4", "6", "8"], id="small"),
        pytest.param(0.9, ["0.00", "0.25", "0.50", "0.75", "1.00"], id="below-one"),
        pytest.param(43_000, ["0.0", "20k", "40k", "60k"], id="thousands"),
        pytest.param(2_300_000, ["0", "1M", "2M", "3M"], id="millions"),
        pytest.param(0, ["0.00", "0.25", "0.50", "0.75", "1.00"], id="nothing"),
    ],
)
def test_numbers_stand_at_round_places(high: float, labels: list[str]) -> None:
    shown = [tick.label for tick in number_ticks(high)]
    assert shown[1:] == labels[1:]
    assert number_ticks(high)[-1].at >= high


def test_times_stand_at_round_hours_and_midnights_say_the_date() -> None:
    ticks = time_ticks(WEDNESDAY_S - 1800, WEDNESDAY_S + 6 * 3600)
    assert [tick.label for tick in ticks] == ["Wed 15 Nov", "01:00", "02:00", "03:00", "04:00", "05:00", "06:00"]


def test_a_plot_is_sound_xml_with_escaped_words_and_a_path_for_each_run() -> None:
    value = np.array([1.0, 2.0, np.nan, 3.0, 4.0])
    at_s = WEDNESDAY_S + 3600.0 * np.arange(5.0)
    drawn = svg(Plot('Load <of> "it"', "req & s", at_s, [Line("a <b>", "now", value, filled=True)]))
    assert "<of>" not in drawn
    figure = ET.fromstring(drawn)  # noqa: S314 - made here
    paths = [each.attrib["d"] for each in figure.iter("path")]
    assert [path.count("M") for path in paths] == [2, 2]  # an area and a line, each of two runs
    assert "nan" not in drawn


def test_a_band_has_an_area_and_an_upper_edge_for_each_stretch_in_which_both_edges_are_known() -> None:
    low, high = np.array([1.0, 1.0, np.nan, 2.0, 2.0]), np.array([2.0, 3.0, 3.0, 4.0, np.nan])
    at_s = WEDNESDAY_S + 3600.0 * np.arange(5.0)
    figure = ET.fromstring(svg(Plot("Load", "cores", at_s, (), [Range("forecast", "told", low, high)])))  # noqa: S314 - made here
    area, edge = (each.attrib["d"] for each in figure.iter("path"))
    assert (area.count("M"), area.count("Z"), edge.count("M"), edge.count("Z")) == (2, 2, 2, 0)
    assert "nan" not in area + edge


def test_a_plot_of_nothing_is_drawn() -> None:
    at_s = WEDNESDAY_S + np.arange(3.0)
    assert "<svg" in svg(Plot("Load", "cores", at_s, [Line("load", "load", np.full(3, np.nan))]))


def test_a_span_set_apart_after_the_last_point_is_not_drawn() -> None:
    at_s = WEDNESDAY_S + 3600 * np.arange(4.0)
    apart = [(at_s[0], at_s[1]), (at_s[3] + 600, at_s[3] + 1200)]
    drawn = svg(Plot("Late", "%", at_s, [Line("as it was", "now", np.ones(4))], (), apart, "not compared"))
    assert drawn.count('<rect class="shade"') == 1
    assert 'width="-' not in drawn

"""The layer's state in the engine: its clock of steps, what it takes from readings, and lanes that come and go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies import lead_time
from policies.arrays import FloatArray, integers
from policies.fleet import fleet_of
from policies.history import Window
from policies.hpa.behavior import Bounds
from policies.lead_time import LeadTime, Learned, advanced, log_demand
from policies.model import UNKNOWN, Status
from policies.packing import pack, unpack
from policies.pretraining import learned_of
from policies.snapshot import _TYPES
from policies.standing import standing_of
from policies.state import EngineState
from policies.tournament import EVIDENCE_STEPS, GRID, HEARD_STEPS
from tests.builders import FREE, NOW_S, Ticks, demand, late, one, ordering, policy, readings, ready_pods, seen

STEP_S, MINUTE_S = 30.0, 60


def lead(world: Ticks) -> LeadTime:
    assert world.state is not None
    return world.state.lead


def test_it_goes_on_at_the_first_tick_of_a_step_alone() -> None:
    world = Ticks(one(), [10])
    counts = []
    for _ in range(5):  # 15, 30, 45, 60 and 75 s after NOW_S, which begins a step
        world.values(70)
        counts.append(int(lead(world).near.count[0]))
    assert counts == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("after_s", "steps", "known"),
    [
        pytest.param(60.0, 2, True, id="two-steps-take-the-reading-that-ends-them"),
        pytest.param(300.0, 10, False, id="more-are-not-known"),
        pytest.param(3600.0, 120, False, id="an-hour-of-them"),
        pytest.param(3630.0, 120, False, id="and-no-more-than-that"),
        pytest.param(40 * 86_400.0, 120, False, id="however-long-it-was"),
        pytest.param(-86_400.0, 1, True, id="a-clock-that-was-set-back-is-one-step"),
    ],
)
def test_steps_without_a_tick(after_s: float, steps: int, known: bool) -> None:  # noqa: FBT001 - a column of the table
    world = Ticks(one(), [10])
    for _ in range(12):
        world.tick(readings([70]), after_s=STEP_S)
    before = lead(world)
    world.tick(readings([70]), after_s=after_s)
    after = lead(world)

    assert after.near.count[0] - before.near.count[0] == steps
    assert after.scores.known[0] - before.scores.known[0] == (steps if known else 1)
    assert after.step == int((NOW_S + 12 * STEP_S + after_s) // STEP_S)


def paused(hours: float) -> tuple[LeadTime, LeadTime]:
    """The layer before and after so many hours without a tick."""
    world = Ticks(one(), [10])
    for load in np.random.default_rng(3).uniform(50, 90, 400):
        world.tick(readings([load]), after_s=STEP_S)
    before = lead(world)
    world.tick(readings([40]), after_s=hours * 3600)
    return before, lead(world)


def test_steps_gone_through_in_blocks_are_those_gone_through_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack(paused(2)[1])
    monkeypatch.setattr(lead_time, "BLOCK_STEPS", 1000)
    assert pack(paused(2)[1]) == data


def test_after_a_pause_what_serves_was_ordered_in_it_and_nothing_was_lowered_meanwhile() -> None:
    before, after = (each.scores for each in paused(5))
    assert after.own[0, 0] < before.own[0, 0]  # the first reading after it lowers
    assert (after.own[0, 1:120] >= before.own[0, 0]).all()
    assert (after.minima[0, :, 1:] >= before.before[0, :, None]).all()


def test_a_state_of_other_lanes_is_refused() -> None:
    fleet, two = one(), fleet_of([policy("a"), policy("b")], FREE)
    bounds = Bounds(two.min_replicas, two.max_replicas)
    with pytest.raises(ValueError, match="has 1 lanes and the fleet 2: align the state first"):
        advanced(EngineState.fresh(fleet), two, seen([10, 10], readings([70, 70])), bounds)


def test_the_age_of_readings_is_followed_when_it_clearly_changes() -> None:
    world = Ticks(one(), [10])
    lags = []
    for age_s in (10, 40, 50, 58, 65, 40, 20, 500):
        world.tick(readings([70], age_s=age_s), after_s=STEP_S)
        lags.append(int(lead(world).lag[0]))
    assert lags == [1, 1, 1, 2, 2, 2, 1, 4]


def test_what_was_ready_and_what_was_late_are_what_counts() -> None:
    fleet = one(demand(), late())
    world = Ticks(fleet, [10])
    world.state = replace(EngineState.fresh(fleet), lead=ordering(fleet, 10, alone=True).lead)
    for _ in range(4):
        world.tick(readings([70, 0.0]), after_s=STEP_S, pods=ready_pods(10))
    in_time = float(lead(world).scores.realised[0, 0])
    world.tick(readings([70, 500.0]), after_s=STEP_S, pods=ready_pods(10))  # 500 of 1000 requests

    assert lead(world).ready.tolist() == [10.0]
    assert lead(world).scores.realised[0, 0] - in_time == pytest.approx(0.5 * 70 / 8, rel=1e-3)


def test_lanes_that_come_and_go_keep_what_is_theirs() -> None:
    world = Ticks(fleet_of([policy("b"), policy("c")], FREE), [10, 20])
    for _ in range(5):
        world.tick(readings([70, 140]), after_s=STEP_S)
    before = lead(world)
    after = before.aligned(np.array([-1, 1]))

    assert after.near.count.tolist() == [0, 5]
    assert pack(after.aligned(np.array([1]))) == pack(before.aligned(np.array([1])))
    assert before.near.count.tolist() == [5, 5]


def test_what_was_learned_replaces_what_is_known_less_of() -> None:
    fleet = fleet_of([policy("a"), policy("b")], FREE)
    little, much = ordering(fleet, 1, 2).lead, ordering(fleet, 3, 4, alone=True).lead
    place = np.array([-1, 1])

    assert little.with_lanes(much, place).scores.own[:, 0].tolist() == [1, 4]
    assert much.with_lanes(little, place) is much
    assert little.with_lanes(LeadTime.empty(0), np.array([-1, -1])).scores.own[:, 0].tolist() == [1, 2]


def test_it_comes_back_bit_for_bit() -> None:
    world = Ticks(one(), [10])
    world.values(70)
    data = pack(lead(world))
    assert pack(unpack(LeadTime, data, types=_TYPES)) == data


def test_the_largest_of_a_lanes_tracks_by_minute() -> None:
    value = np.array([[8, 16, 24], [30, 0, 0], [5, 5, 5]], np.float32)
    known = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.bool_)
    serving, lane = np.array([8.0, 10.0, 0.0]), np.array([0, 0, 2])
    level = log_demand(Window(0, value, known), serving, lane, 3)

    np.testing.assert_allclose(np.exp(level[0]) - 0.5, [3.0, 2.0, np.nan], rtol=1e-5)  # 30 / 10, then 16 / 8
    assert np.isnan(level[1:]).all()  # a lane without a track, and one whose capacity nobody knows


def minutes(days: float, seed: int = 1) -> FloatArray:
    at = np.arange(int(days * 1440))
    noise = np.random.default_rng(seed).normal(0.0, 0.05, at.size)
    return np.asarray(80.0 * np.exp(0.5 * np.sin(2 * np.pi * at / 1440) + noise))


def window(*rows: FloatArray) -> Window:
    """Minutes up to NOW_S."""
    value = np.array(rows, np.float32)
    return Window(int(NOW_S) - MINUTE_S * value.shape[1], np.nan_to_num(value), np.isfinite(value))


def test_what_the_past_teaches() -> None:
    fleet = fleet_of([policy("a"), policy("b"), policy("c")], FREE)
    gone = np.full(4 * 1440, np.nan)
    short = np.concatenate((gone[: 4 * 1440 - 30], np.full(30, 40.0)))
    found = learned_of(fleet, window(minutes(4), gone, short), np.full(3, 8.0), np.full(3, 120.0))
    known = found.lead.scores.known

    assert found.uid == fleet.uid
    assert known[0] > 3.9 * 2880 >= EVIDENCE_STEPS
    assert known.tolist()[1:] == [0, 60]  # two steps a minute
    assert found.lead.step == UNKNOWN
    state = replace(EngineState.fresh(fleet), seen=np.ones(3, np.bool_))
    world = Ticks(fleet, [20, 20, 20], now_s=NOW_S, state=state)
    decision = world.tick(readings([80, 80, 80]), after_s=STEP_S, learned=found)

    assert decision.standing.known.tolist() == [known[0] + 1, 1, known[2] + 1]
    assert decision.forecast.known.tolist() == [True, False, False]
    assert 10 <= decision.forecast.replicas[0] <= 16  # 80 / 8 is what the load needs now


def test_the_past_counts_from_its_last_week_on() -> None:
    fleet = one()
    long, week = (learned_of(fleet, window(minutes(days)), np.full(1, 8.0), np.full(1, 60.0)) for days in (9.5, 7.0))
    assert long.lead.near.count.tolist() == week.lead.near.count.tolist() == [7 * 2880]


def test_nothing_to_learn_from() -> None:
    nothing = Window(int(NOW_S) - 60, np.zeros((1, 1), np.float32), np.zeros((1, 1), np.bool_))
    found: Learned = learned_of(one(), nothing, np.full(1, 8.0), np.full(1, 60.0))
    assert found.lead.near.count.tolist() == [0]


def test_how_the_tournament_stands() -> None:
    world = Ticks(one(), [10])
    for _ in range(HEARD_STEPS + 2):
        world.tick(readings([70]), after_s=STEP_S)
    standing = standing_of(lead(world), world.fleet)

    assert 0 <= standing.candidate[0, 0] < GRID
    assert standing.candidate[0, 1] // 112 != standing.candidate[0, 0] // 112  # the best of another expert
    assert (standing.cost[0] >= 8.0).all()
    assert (standing.late[0] <= 1.0).all()
    assert standing.known[0] == HEARD_STEPS + 2


def test_readings_in_doubt_teach_nothing() -> None:
    world = Ticks(one(), [10])
    for _ in range(5):
        world.tick(readings([70]), after_s=STEP_S)
    for status in (Status.STALE, Status.MISSING):
        before = lead(world).scores.known.copy()
        world.tick(readings([70], status), after_s=STEP_S)
        assert lead(world).scores.known.tolist() == before.tolist()
    assert integers(1, 7).tolist() == lead(world).near.count.tolist()

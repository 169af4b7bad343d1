"""Knative's pod autoscaler, by vectors that pass through the functions that a backtest runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.kpa import KpaSeen, KpaSettings, KpaState, MaxWindow, decide, largest_lately
from tests.conformance.cases import Vector, cases


def _settings(config: Vector) -> KpaSettings:
    return KpaSettings(
        panic_threshold=config["panic_threshold"],
        max_scale_up_rate=config["max_scale_up_rate"],
        max_scale_down_rate=config["max_scale_down_rate"],
        stable_window_s=config["stable_window_s"],
        scale_down_delay_s=config["scale_down_delay_s"],
        tick_s=config["tick_s"],
        activation_scale=config["activation_scale"],
        reachable=config["reachable"],
        target_burst_capacity=config["target_burst_capacity"],
    )


def _created(vector: Vector) -> KpaState:
    return KpaState.created(np.array([vector["initial_ready_pods"]]), _settings(vector["config"]), now_s=0.0)


@cases("kpa", "sequence")
def test_a_sequence_of_decisions(vector: Vector) -> None:
    config, state = dict(vector["config"]), _created(vector)
    for step in vector["steps"]:
        config |= step.get("config_change", {})
        if given := step.get("set_state"):
            state = replace(
                state,
                panic_since_s=np.array([float(given["panic_since_s"])]),
                max_panic=np.array([given["max_panic_pods"]]),
            )
        blind, unread = step.get("metrics_error"), step.get("ready_error")
        loads = (np.array([np.nan if blind else float(step[name])]) for name in ("stable", "panic"))
        seen = KpaSeen(float(step["at_s"]), np.array([-1 if unread else step["ready_pods"]]), *loads)
        target, total = np.array([float(config["target"])]), np.array([float(config["total"])])
        before, (state, decision) = state, decide(_settings(config), state, seen, target=target, total=total)
        expected = step["expected"]
        assert bool(decision.valid[0]) == expected["valid"]
        if not expected["valid"]:
            assert repr(state) == repr(before)
            continue
        assert decision.desired[0] == expected["desired"]
        assert abs(decision.excess_burst_capacity[0] - expected["excess_burst_capacity"]) <= 1
        assert bool(np.isfinite(state.panic_since_s[0])) == expected["in_panic"]
        if "panic_since_s" in expected:
            assert state.panic_since_s[0] == expected["panic_since_s"]


@cases("kpa", "start")
def test_the_state_after_creation(vector: Vector) -> None:
    state, expected = _created(vector), vector["expected"]
    assert bool(np.isfinite(state.panic_since_s[0])) == expected["in_panic"]
    assert state.max_panic[0] == expected["max_panic_pods"]


@cases("kpa", "max_window")
def test_the_largest_of_a_window_of_ticks(vector: Vector) -> None:
    window = MaxWindow.empty(1, vector["window_ticks"])
    largest = [largest_lately(window, 0, tick, value) for tick, value in vector["entries"]]
    assert largest == vector["expected"]["current"]


@cases("kpa", "timed_max_window")
def test_the_largest_of_a_window_of_seconds(vector: Vector) -> None:
    settings = KpaSettings(scale_down_delay_s=vector["window_s"], tick_s=vector["granularity_s"])
    window = MaxWindow.empty(1, settings.delay_ticks)
    ticks = [int(at_s // vector["granularity_s"]) for at_s, _ in vector["entries"]]
    values = [value for _, value in vector["entries"]]
    largest = [largest_lately(window, 0, tick, value) for tick, value in zip(ticks, values, strict=True)]
    assert largest[-1] == vector["expected"]["current"]

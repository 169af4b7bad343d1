"""The compiled HPA rule under any behavior that users write decides as `decide` does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.fleet import fleet_of
from policies.hpa import loop
from policies.hpa.behavior import Bounds
from policies.model import Limits, Status, Why
from tests.builders import TICK_S, Ticks, policy, readings

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Fleet


@st.composite
def behaviors(draw: st.DrawFn) -> dict[str, Any]:
    """A behavior; all periods are equal, as the log of one direction forgets what only the other would still count."""
    period_s = draw(st.sampled_from([10, 15, 60, 120]))

    def direction() -> dict[str, Any]:
        kinds = st.fixed_dictionaries(
            {
                "type": st.sampled_from(["Pods", "Percent"]),
                "value": st.integers(1, 150),
                "periodSeconds": st.just(period_s),
            }
        )
        return {
            "stabilizationWindowSeconds": draw(st.sampled_from([0, 15, 20, 60, 300])),
            "policies": draw(st.lists(kinds, min_size=1, max_size=3)),
            "selectPolicy": draw(st.sampled_from(["Max", "Max", "Min", "Disabled"])),
            "tolerance": draw(st.sampled_from([0, 0.05, 0.1, 0.3])),
        }

    return {"scaleUp": direction(), "scaleDown": direction()}


@settings(max_examples=25)
@given(
    written=st.lists(behaviors(), min_size=1, max_size=3),
    load=st.lists(
        st.one_of(st.just(float("nan")), st.floats(0.0, 900.0), st.floats(90.0, 110.0)), min_size=30, max_size=50
    ),
)
def test_any_behavior(written: list[dict[str, Any]], load: list[float]) -> None:
    documents = [policy(f"lane-{number}", low=1, high=80, behavior=each) for number, each in enumerate(written)]
    fleet = replace(fleet_of(documents, Limits(removal_ratio=1.0)), forecast=np.zeros(len(documents), np.bool_))
    demand = np.array([np.roll(load, 7 * lane) for lane in range(len(documents))])
    known = np.isfinite(demand)
    lanes = np.ones(len(documents))
    rule = loop.hpa_rule(
        10.0 * lanes,
        0.7 * lanes,
        behavior=fleet.behavior,
        bounds=Bounds(fleet.min_replicas, fleet.max_replicas),
        sync_s=TICK_S,
    )
    state = loop.HpaState.at(rule, np.full(len(documents), 14))
    # The two round a load to different units; whole thousandths are the same to both.
    demand = np.asarray(np.where(known, demand, 0.0).round(3), np.float64)
    plan = loop.advance(rule, state, demand, known=known)[1]
    assert plan.tolist() == _decided(fleet, demand, known, state.replicas).tolist()


def _decided(fleet: Fleet, demand: FloatArray, known: BoolArray, replicas: IntArray) -> IntArray:
    """What stands after each tick of `decide` on the same loads, `[lane, step]`."""
    ticks, plan = Ticks(fleet, replicas.tolist()), []
    for values, there in zip(demand.T, known.T, strict=True):
        status, why = np.where(there, Status.FRESH, Status.MISSING), np.where(there, Why.OK, Why.NO_SERIES)
        plan.append(ticks.tick(readings(values.tolist(), status, why)).replicas.target)
    return np.array(plan).T

"""The example of prefill and decode under one budget of GPUs, played against two simulated pools of servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.policy_text import parse_documents
from policies.fleet import fleet_of
from policies.model import signal_name
from tests.builders import FREE, Ticks, readings, ready_pods

if TYPE_CHECKING:
    from policies.model import Fleet

EXAMPLE = Path(__file__).parents[2] / "docs/examples/prefill-decode.yaml"
DECODE, PREFILL = 0, 1  # lanes, sorted by uid
GPUS = np.array([2, 1])
CAPACITY = np.array([2_500.0, 16_000.0])  # tokens a second of a replica
LIMIT = 0.7
BUDGET = 16
STARTUP_TICKS = 4


def fleet(*, first: str = "") -> Fleet:
    """The example as it stands, but acting; `first` gets a higher priority."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("mode: shadow", "mode: active")
    found = parse_documents(text, source=EXAMPLE.name)
    assert [policy.uid for policy in found.policies] == ["llm/prefill", "llm/decode"]
    policies = [
        each.model_copy(update={"spec": each.spec.model_copy(update={"priority": 10})})
        if each.metadata.name == first
        else each
        for each in found.policies
    ]
    return fleet_of(policies, FREE, found.budgets)


@dataclass
class Pools:
    """Two pools of replicas: what waits beyond the serving limit is late, and what waits longer is late for sure."""

    fleet: Fleet
    replicas: list[int] = field(default_factory=lambda: [4, 4])
    waiting: np.ndarray = field(default_factory=lambda: np.zeros(2))
    past: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = Ticks(self.fleet, list(self.replicas))
        self.past = [list(self.replicas)] * STARTUP_TICKS

    def play(self, ticks: int, prompt: float, output: float) -> list[list[int]]:
        """So many ticks of these tokens a second; the counts that were asked for."""
        asked = []
        for _ in range(ticks):
            ready = np.minimum(self.world.replicas, np.min(self.past[-STARTUP_TICKS:], axis=0))
            arriving = np.array([output, prompt])
            able = ready * CAPACITY
            self.waiting = np.maximum(self.waiting + (arriving - able) * 15, 0)
            late = np.clip((arriving - LIMIT * able) / arriving, 0, 1)
            self.world.tick(readings(self._values(arriving, late)), pods=ready_pods(*ready.tolist()))
            self.past.append(list(self.world.replicas))
            asked.append(list(self.world.replicas))
        return asked

    def _values(self, arriving: np.ndarray, late: np.ndarray) -> list[float]:
        """In the order of the tracks; late signals are read in thousandths."""
        told = {
            "output-tokens": arriving[DECODE],
            "kv-cache": 0.5 * self.world.replicas[DECODE],
            "itl": 1000 * late[DECODE],
            "prompt-tokens": arriving[PREFILL],
            "queue": self.waiting[PREFILL] / 2_000,
            "ttft": 1000 * late[PREFILL],
        }
        return [float(told[signal_name(uid)]) for uid in self.fleet.tracks.uid]


CALM = {"prompt": 30_000.0, "output": 4_500.0}  # 1.9 replicas of prefill and 1.8 of decode, at 100 %


def gpus(counts: list[list[int]]) -> np.ndarray:
    return np.asarray(np.asarray(counts) @ GPUS)


def test_each_follows_its_own_signal() -> None:
    pools = Pools(fleet())
    pools.play(20, **CALM)

    long_prompts = pools.play(20, prompt=90_000, output=4_500)[-1]
    # 90 000 at the Kubernetes rule's 0.875 of 0.7 of 16 000 are 9.2 replicas; 4 500 of 2 500 are 2.9.
    assert long_prompts[PREFILL] >= 9
    assert long_prompts[DECODE] <= 4
    assert gpus([long_prompts])[0] <= BUDGET


def test_decode_rises_with_output_alone() -> None:
    pools = Pools(fleet())
    pools.play(20, **CALM)

    long_answers = pools.play(20, prompt=30_000, output=9_000)[-1]
    # 9 000 at 0.875 of 0.7 of 2 500 are 5.9 replicas; 30 000 of 16 000 are 3.1.
    assert long_answers[DECODE] == 6
    assert long_answers[PREFILL] == 4


@pytest.mark.parametrize("first", ["", "prefill", "decode"])
def test_together_they_never_pass_the_budget(first: str) -> None:
    pools = Pools(fleet(first=first))
    counts = pools.play(20, **CALM) + pools.play(60, prompt=150_000, output=18_000) + pools.play(60, **CALM)

    assert gpus(counts).max() <= BUDGET
    assert gpus(counts[20:80]).max() == BUDGET  # and use all of it while both want more


@pytest.mark.parametrize(
    ("prompt", "output", "expected"),
    [
        # Four GPUs are free. Late are 0.5 of all output and 0.1 of all prompts: decode starts 2, prefill none.
        pytest.param(50_000, 14_000, [6, 4], id="decode-misses-more"),
        # Late are 0.1 of all output and 0.6 of all prompts: prefill starts 4, decode none.
        pytest.param(112_000, 7_800, [4, 8], id="prefill-misses-more"),
    ],
)
def test_free_gpus_go_to_the_one_that_misses_its_objective_most(
    prompt: float, output: float, expected: list[int]
) -> None:
    assert Pools(fleet()).play(1, prompt=prompt, output=output)[-1] == expected


def test_a_higher_priority_takes_what_the_other_would_start_and_what_it_runs() -> None:
    """Prefill alone could use 12; decode keeps its minimum of 1, two GPUs, and what 16 less 12 leave: 4."""
    counts = Pools(fleet(first="prefill")).play(40, prompt=150_000, output=18_000)[-1]

    assert counts == [2, 12]

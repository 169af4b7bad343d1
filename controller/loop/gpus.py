"""How many GPUs each workload has allocated, and how many of them are idle: looked at now and then, beside the ticks.

What is told is for people and never enters a decision.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.errors import ForesailError
from controller.records import GpuUse, SignalQuery
from policies.gpus.idle import IdleRule
from policies.gpus.signals import PRESENT_LABELS, Binding, Quantity, bound, present_query
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.ports import Clock, MetricsSource
    from controller.records import PodView, TargetRef
    from policies.arrays import IntArray

log = structlog.get_logger("foresail.gpus")

LOOK_EVERY_S = 300.0
BIND_EVERY_S = 3600.0
FORGET_S = 3 * LOOK_EVERY_S  # after so long without an answer nothing is told
DEADLINE_S = 10.0
_POD = ("namespace", "pod")

Pod = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of a tick: their objects and pods, and the GPUs that living pods ask for, `[lane]`."""

    uid: tuple[str, ...]
    targets: Sequence[TargetRef]
    pods: Sequence[Sequence[PodView]]
    gpus_milli: IntArray  # 0 where none is asked for or nobody can say

    def with_gpus(self) -> dict[Pod, str]:
        """The pods of lanes that have GPUs, and whose they are."""
        lanes = np.flatnonzero(self.gpus_milli > 0).tolist()
        return {(self.targets[lane].namespace, pod.name): self.uid[lane] for lane in lanes for pod in self.pods[lane]}


@dataclass(slots=True)
class GpuWatch:
    """Asks a metrics source for the devices of pods that were idle all through the rule's window."""

    source: MetricsSource
    clock: Clock
    rule: IdleRule = field(default_factory=IdleRule)
    _binding: Binding = field(default_factory=dict)
    _bound_at_s: float = -np.inf
    _looked_at_s: float = -np.inf
    _told_at_s: float = -np.inf
    _idle: Mapping[str, int] = field(default_factory=dict)  # by uid, of workloads of which it is known
    _task: asyncio.Task[None] | None = None

    def look_when_due(self, lanes: Lanes) -> None:
        """Ask anew when that is due; nothing is asked while no workload has GPUs."""
        now_s = self.clock.now_s()
        if self._task is not None and self._task.done():
            fault, self._task = None if self._task.cancelled() else self._task.exception(), None
            if fault is not None:
                log.warning("GPUs not looked at", err=str(fault))
        passed = now_s - self._looked_at_s >= LOOK_EVERY_S or now_s < self._looked_at_s
        if self._task is None and passed and (pods := lanes.with_gpus()):
            self._looked_at_s = now_s
            self._task = asyncio.create_task(self._look(pods, now_s), name="gpus")

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def use(self, lanes: Lanes) -> GpuUse:
        """What is known now."""
        recent = self.clock.now_s() - self._told_at_s <= FORGET_S
        idle = self._idle if recent else {}
        return GpuUse(
            allocated=lanes.gpus_milli / 1000.0,
            idle=np.array([idle.get(uid, np.nan) for uid in lanes.uid], np.float64),
            binding={str(quantity): each.name for quantity, each in self._binding.items()},
        )

    async def _look(self, pods: Mapping[Pod, str], at_s: float) -> None:
        """Bind what is to be asked, and ask. Raises ForesailError."""
        if at_s - self._bound_at_s >= BIND_EVERY_S or Quantity.ACTIVITY not in self._binding:
            present = await self._answer(present_query(), PRESENT_LABELS, at_s)
            self._binding, self._bound_at_s = bound({name for (name,) in present}), at_s
        activity = self._binding.get(Quantity.ACTIVITY)
        if activity is None:
            return
        devices = activity.over("max_over_time", duration_text(self.rule.window_s))
        idle = f"count by (namespace, pod) ({devices} < {self.rule.below!r})"
        known = await self._answer(f"count by (namespace, pod) ({devices})", _POD, at_s)
        found = await self._answer(idle, _POD, at_s)
        told: defaultdict[str, int] = defaultdict(int)
        for pod in known:
            if (uid := pods.get((pod[0], pod[1]))) is not None:
                told[uid] += int(found.get(pod, 0.0))
        self._idle, self._told_at_s = dict(told), at_s

    async def _answer(self, text: str, labels: tuple[str, ...], at_s: float) -> dict[tuple[str, ...], float]:
        """A query's answer by its labels. Raises ForesailError.

        Asked as a past of one moment, so that it does not take turns with the queries of ticks.
        """
        query = SignalQuery(text, labels)
        try:
            past = await self.source.past(query, start_s=at_s, end_s=at_s, step_s=1.0, deadline_s=DEADLINE_S)
        except ForesailError as error:
            raise type(error)(f"{error} (asking for {text})") from error
        return {series.key: series.values[-1] for series in past if len(series.values)}

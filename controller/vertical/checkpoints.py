"""Checkpoints: what was learned, kept on the API server in the stock recommender's own form.

Either recommender can go on from what the other has learned, and a daemon that is moved needs no disk for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controller.errors import ForesailError
from controller.vertical.bank import Evidence
from controller.vertical.lanes import Lane
from controller.vertical.records import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.vertical.bank import Bank
    from controller.vertical.records import Autoscaler, Document, VerticalCluster, Watched

VERSION = "v3"  # of the form: an older one has other buckets
EVERY_S = 600.0
A_ROUND = 200  # at most, so that those of many autoscalers are spread
AT_ONCE = 8
LEAVING_S = 15.0  # for all of them, when the daemon ends


class Checkpoints:
    """Reads those of each namespace once, and writes each lane's every ten minutes."""

    def __init__(self, cluster: VerticalCluster, bank: Bank) -> None:
        """Nothing is read yet."""
        self._cluster, self._bank = cluster, bank
        self._read: dict[str, dict[tuple[str, str], Checkpoint]] = {}
        self._offered: set[Lane] = set()  # lanes that were restored, or that have no checkpoint
        self._kept_s: dict[Lane, float] = {}
        self._owners: dict[Lane, Checkpoint] = {}

    async def restore(self, watched: Sequence[Watched]) -> list[str]:
        """Put back what is kept of lanes that are new here; returns what went wrong.

        A namespace that cannot be read is tried again at the next round.
        """
        problems = []
        self._owners = dict(
            _owner(each.autoscaler, name) for each in watched if each.autoscaler for name in each.containers
        )
        self._offered &= self._owners.keys()
        new = [lane for lane in self._owners if lane not in self._offered]
        for namespace in sorted({self._owners[lane].namespace for lane in new}):
            try:
                found = await self._cluster.checkpoints(namespace)
            except ForesailError as error:
                problems.append(str(error))
                continue
            problems += self._put_back(found, [lane for lane in new if self._owners[lane].namespace == namespace])
        return problems

    async def keep_due(self, now_s: float) -> tuple[int, list[str]]:
        """Write those that are due, and return how many were written and what went wrong."""
        due = [
            lane
            for lane in self._owners
            if lane in self._offered and now_s - self._kept_s.get(lane, 0.0) >= EVERY_S and not self._bank.empty(lane)
        ]
        return await self._keep(due[:A_ROUND], now_s)

    async def keep_all(self, now_s: float) -> None:
        """Write what has been learned since, as far as there is time."""
        lanes = [lane for lane in self._owners if lane in self._offered and not self._bank.empty(lane)]
        async with asyncio.timeout(LEAVING_S):
            await self._keep(lanes, now_s)

    async def _keep(self, lanes: Sequence[Lane], now_s: float) -> tuple[int, list[str]]:
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(lane: Lane) -> str:
            made = replace(self._owners[lane], status=self._document(lane, now_s))
            async with limit:
                try:
                    await self._cluster.keep(made)
                except ForesailError as error:
                    return str(error)
            self._kept_s[lane] = now_s
            return ""

        failures = [words for words in await asyncio.gather(*(one(lane) for lane in lanes)) if words]
        return len(lanes) - len(failures), failures

    def _put_back(self, found: Sequence[Checkpoint], lanes: Sequence[Lane]) -> list[str]:
        """Restore these lanes of a namespace from its checkpoints, where they have one."""
        known = {(each.autoscaler, each.container): each for each in found}
        problems = list[str]()
        self._offered.update(lanes)
        for lane in lanes:
            kept = known.get((self._owners[lane].autoscaler, lane.container))
            if kept is None or not self._bank.empty(lane):
                continue
            try:
                self._bank.restore(lane, _evidence(kept))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                told = f"{error!r}" if isinstance(error, KeyError) else str(error)
                problems.append(f"checkpoint {kept.namespace}/{kept.name} cannot be used, and is made anew: {told}")
        return problems

    def _document(self, lane: Lane, now_s: float) -> Document:
        known = self._bank.evidence(lane, now_s)
        return {
            "lastUpdateTime": _time(now_s),
            "version": VERSION,
            "cpuHistogram": _histogram(known.cpu, known.reference_s[0]),
            "memoryHistogram": _histogram(known.memory, known.reference_s[1]),
            "firstSampleStart": _time(known.first_s),
            "lastSampleStart": _time(known.last_s),
            "totalSamplesCount": known.samples,
        }


def _owner(autoscaler: Autoscaler, container: str) -> tuple[Lane, Checkpoint]:
    """A container's lane, and its checkpoint without content."""
    namespace, name = autoscaler.namespace, autoscaler.name
    lane = Lane(of_autoscaler=True, watched=f"{namespace}/{name}", container=container)
    return lane, Checkpoint(namespace, name, container, {}, autoscaler.uid)


def _evidence(kept: Checkpoint) -> Evidence:
    """What a checkpoint tells. Raises AttributeError, KeyError, TypeError and ValueError where it cannot be used."""
    status = kept.status
    if status["version"] != VERSION:
        raise ValueError(f"its version is {status['version']!r}, not {VERSION}")
    cpu, memory = status["cpuHistogram"], status["memoryHistogram"]
    return Evidence(
        cpu=_weights(cpu),
        memory=_weights(memory),
        reference_s=(_seconds(cpu.get("referenceTimestamp")), _seconds(memory.get("referenceTimestamp"))),
        first_s=_seconds(status["firstSampleStart"]),
        last_s=_seconds(status["lastSampleStart"]),
        samples=int(status["totalSamplesCount"]),
        saved_s=_seconds(status.get("lastUpdateTime")),
    )


def _histogram(saved: tuple[float, Mapping[int, int]], reference_s: float) -> Document:
    total, weights = saved
    return {
        "referenceTimestamp": _time(reference_s),
        "bucketWeights": {str(bucket): weight for bucket, weight in weights.items()},
        "totalWeight": total,
    }


def _weights(given: Mapping[str, Any]) -> tuple[float, dict[int, int]]:
    weights = {int(bucket): int(weight) for bucket, weight in (given.get("bucketWeights") or {}).items()}
    return float(given.get("totalWeight") or 0), weights


def _time(at_s: float) -> str | None:
    return datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z") if at_s else None


def _seconds(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0

"""Checkpoints: what was learned, kept on the API server in the stock recommender's own form.

Either recommender can go on from what the other has learned, and a daemon that is moved needs no disk for it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controller.errors import ForesailError
from controller.vertical.bank import Lane, lanes_of
from controller.vertical.records import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.vertical.bank import Bank
    from controller.vertical.records import Document, VerticalCluster, Watched
    from policies.resources.decaying import Decaying

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
        self._owners = {
            Lane(True, each.key, name): Checkpoint(each.namespace, each.autoscaler.name, name, {}, each.autoscaler.uid)
            for each in watched
            if each.autoscaler is not None
            for name in each.containers
        }
        self._offered &= self._owners.keys()
        new = [lane for lane in self._owners if lane not in self._offered]
        for namespace in sorted({self._owners[lane].namespace for lane in new}):
            try:
                found = await self._cluster.checkpoints(namespace)
            except ForesailError as error:
                problems.append(str(error))
                continue
            known = {(each.autoscaler, each.container): each for each in found}
            for lane in [lane for lane in new if self._owners[lane].namespace == namespace]:
                self._offered.add(lane)
                kept = known.get((self._owners[lane].autoscaler, lane.container))
                if kept is not None and self._bank.empty(lane):
                    problems += self._put_back(lane, kept)
        return problems

    def restored(self, watched: Watched) -> bool:
        """Whether all lanes of what is watched have been looked for."""
        return watched.autoscaler is None or all(lane in self._offered for lane in lanes_of(watched))

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
            owner = self._owners[lane]
            made = Checkpoint(owner.namespace, owner.autoscaler, owner.container, self._document(lane, now_s))
            async with limit:
                try:
                    await self._cluster.keep(_owned(made, owner.owner_uid))
                except ForesailError as error:
                    return str(error)
            self._kept_s[lane] = now_s
            return ""

        failures = [words for words in await asyncio.gather(*(one(lane) for lane in lanes)) if words]
        return len(lanes) - len(failures), failures

    def _document(self, lane: Lane, now_s: float) -> Document:
        cpu, memory, row, first_s, last_s, samples = self._bank.evidence(lane)
        return {
            "lastUpdateTime": _time(now_s),
            "version": VERSION,
            "cpuHistogram": _histogram(cpu, row),
            "memoryHistogram": _histogram(memory, row),
            "firstSampleStart": _time(first_s),
            "lastSampleStart": _time(last_s),
            "totalSamplesCount": round(samples),
        }

    def _put_back(self, lane: Lane, kept: Checkpoint) -> list[str]:
        try:
            status = kept.status
            if status.get("version") != VERSION:
                raise ValueError(f"its version is {status.get('version')!r}, not {VERSION}")
            cpu, memory = self._bank.histograms
            row = self._bank.row(lane)
            times_s = (
                _seconds(status["firstSampleStart"]),
                _seconds(status["lastSampleStart"]),
                _seconds(status.get("lastUpdateTime")),
            )
            histograms = (
                _restored(cpu, row, status["cpuHistogram"]),
                _restored(memory, row, status["memoryHistogram"]),
            )
            self._bank.restore(lane, histograms, times_s, float(status["totalSamplesCount"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return [f"checkpoint {kept.namespace}/{kept.name} cannot be used, and is made anew: {error}"]
        return []


def _owned(checkpoint: Checkpoint, uid: str) -> Checkpoint:
    return Checkpoint(checkpoint.namespace, checkpoint.autoscaler, checkpoint.container, checkpoint.status, uid)


def _histogram(histograms: Decaying, row: int) -> Document:
    weights, total, reference_s = histograms.saved(row)
    return {
        "referenceTimestamp": _time(reference_s),
        "bucketWeights": {str(bucket): weight for bucket, weight in weights.items()},
        "totalWeight": total,
    }


def _restored(histograms: Decaying, row: int, given: Mapping[str, Any]) -> Decaying:
    weights = {int(bucket): int(weight) for bucket, weight in (given.get("bucketWeights") or {}).items()}
    total = float(given.get("totalWeight") or 0)
    return histograms.restored(row, weights, total, _seconds(given.get("referenceTimestamp")))


def _time(at_s: float) -> str | None:
    return datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z") if at_s else None


def _seconds(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0

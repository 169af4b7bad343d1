"""The metrics of workloads with placement: base and surge apart, and what was taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies import signals
from policies.arrays import sum_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.records import TickReport
    from policies.arrays import FloatArray, IntArray
    from policies.metric import Gauge

TYPES = ("on_demand", "spot")


def by_workload(report: TickReport, labels: Sequence[str]) -> Iterator[tuple[Gauge, list[str], IntArray | FloatArray]]:
    """Gauges, the labels of their series and their values; `labels` are those of the lanes, without a closing brace."""
    parts, places, zones = report.decision.split, report.seen.places, report.decision.split.zones
    lanes, count = parts.lane.tolist(), parts.lane.size
    ready = parts.lane if places is None else places.base_ready[parts.lane]
    pairs = (
        (signals.CAPACITY_DESIRED, parts.base, parts.surge),
        (signals.CAPACITY_READY, ready, sum_by(zones.lane, zones.ready, count)),
        (signals.CAPACITY_RECOMMENDED, parts.on_demand, parts.spot),
    )
    typed = [f'{labels[lane]},capacity_type="{kind}"}}' for kind in TYPES for lane in lanes]
    for gauge, on_demand, spot in pairs:
        yield gauge, typed, np.concatenate((on_demand, spot))
    names = [f"{labels[lane]}}}" for lane in lanes]
    yield signals.SPOT_NOTICED, names, sum_by(zones.lane, zones.noticed, count)
    yield signals.SPOT_MISSING, names, parts.missing
    yield signals.SPOT_SHORT, names, parts.short_ratio
    yield signals.SPOT_SHORT_BUDGET, names, report.fleet.spot.short_ratio[parts.lane]


def interruptions(report: TickReport) -> dict[str, int]:
    """Replicas taken back since the last tick, by zone."""
    zones, found = report.decision.split.zones, dict[str, int]()
    for row in np.flatnonzero(zones.lost).tolist():
        found[zones.name[row]] = found.get(zones.name[row], 0) + int(zones.lost[row])
    return found

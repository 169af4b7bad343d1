"""Where capacity can be had: for every run, pool and step, how many replicas may stand and whether one may start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulations.whatif.demand import WhatIfError
from simulations.whatif.luck import REFUSALS, SPOT, generator
from simulations.whatif.physics import REFUSED, UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray
    from simulations.load_file import Load as Samples
    from simulations.whatif.capacity import Refusals, Spells
    from simulations.whatif.document import Scenario
    from simulations.whatif.physics import Rooms

_CYCLES = 50  # that pass before the first step, so that it is as any other


class Zone(NamedTuple):
    """What one zone has in one run."""

    room: NDArray[np.int16]  # spot instances that may stand [step]
    spell: NDArray[np.int64]  # number of the present spell with or without spot [step]


def rooms(scenario: Scenario, records: Mapping[str, Samples], runs: range) -> Rooms:
    """Instances that may stand, `[pool, run, step]`: `UNLIMITED`, a number, or `REFUSED` where none is started.

    `records` has the recorded availability by trace. A state holds for the step at whose beginning it was so. Raises
    WhatIfError for a zone that the record does not have.
    """
    pools, steps = scenario.capacity.pools, scenario.steps
    made = np.full((len(pools), len(runs), steps), UNLIMITED, np.int16)
    zones = list(dict.fromkeys(pool.zone or pool.name for pool in pools))
    for place, name in enumerate(zones):
        inside = [number for number, pool in enumerate(pools) if (pool.zone or pool.name) == name]
        spot = [number for number in inside if pools[number].type == "spot"]
        others = [number for number in inside if pools[number].type == "on-demand"]
        for row, run in enumerate(runs):
            zone = _zone(scenario, name, records, generator(scenario.seed, run, SPOT, place)) if spot else None
            if zone is not None:
                made[spot, row] = zone.room
            refused = _refused(scenario, zone, generator(scenario.seed, run, REFUSALS, place))
            if refused is not None:
                made[others, row] = np.where(refused, REFUSED, UNLIMITED)
        if (lost := scenario.faults.zone_lost) is not None and lost.zone == name:
            begin, end = ((scenario.warmup + each) / scenario.step for each in (lost.after, lost.after + lost.lasts))
            made[inside, :, round(begin) : round(end)] = 0
    return made


def _zone(scenario: Scenario, name: str, records: Mapping[str, Samples], random: np.random.Generator) -> Zone | None:
    """Spot in one zone; None where it is always there."""
    spot, steps = scenario.faults.spot, scenario.steps
    if spot is None:
        return None
    if spot.trace is not None:
        if name not in records:
            has = ", ".join(sorted(records)[:5]) or "none"
            raise WhatIfError(
                f"faults.spot.trace: {spot.trace.file} has no trace {name!r}, the name of a zone; it has {has}"
            )
        room = _gone_round(records[name], steps, scenario.step, random)
    elif spot.fitted is not None:
        lengths = _recorded_lengths(list(records.values()), f"faults.spot.fitted: {spot.fitted.file}")
        room = _alternating(lambda up, count: random.choice(lengths[up], count), scenario, random)
    elif spot.spells is not None:
        room = _alternating(_weibull(spot.spells, random), scenario, random)
    else:
        raise WhatIfError("faults.spot: must have exactly one of trace, fitted or spells")
    return Zone(room, np.cumsum(np.diff(room > 0, prepend=room[:1] > 0)))


def _gone_round(record: Samples, steps: int, step_s: float, random: np.random.Generator) -> NDArray[np.int16]:
    """A record from a random moment on, again from its start after its end, `[step]`; missing values are 0."""
    length_s = float(record.at_s[-1] - record.at_s[0]) or step_s
    since_s = (random.uniform(0.0, length_s) + np.arange(steps) * step_s) % length_s
    row = np.searchsorted(record.at_s - record.at_s[0], since_s, side="right") - 1
    return np.clip(np.nan_to_num(record.value[row]), 0, UNLIMITED).astype(np.int16)


def _weibull(spells: Spells, random: np.random.Generator) -> Callable[[bool, int], FloatArray]:
    """Lengths of spells of a model, in seconds."""

    def drawn(up: bool, count: int) -> FloatArray:  # noqa: FBT001 - which of the two
        mean, shape = (spells.up, spells.up_shape) if up else (spells.down, spells.down_shape)
        return random.weibull(shape, count) * (mean / math.gamma(1 + 1 / shape))

    return drawn


def _alternating(
    lengths: Callable[[bool, int], FloatArray], scenario: Scenario, random: np.random.Generator
) -> NDArray[np.int16]:
    """Spells with and without spot in turn, `[step]`: `UNLIMITED` or 0. They began long before the first step."""
    end_s = scenario.steps * scenario.step
    few = 64
    mean_s = max(float((lengths(True, few) + lengths(False, few)).mean()), 1.0)  # noqa: FBT003 - up, then down
    before_s = _CYCLES * mean_s * random.uniform(0.9, 1.1)
    ends, total_s, up = [], 0.0, bool(random.integers(2))
    while total_s < before_s + end_s:
        count = max(few, int((before_s + end_s - total_s) / mean_s))
        pair = [lengths(up, count), lengths(not up, count)]
        ends.append(total_s + np.cumsum(np.stack(pair, axis=1).ravel()))
        total_s = float(ends[-1][-1])
    spell = np.searchsorted(np.concatenate(ends), before_s + np.arange(scenario.steps) * scenario.step, side="right")
    has = (spell % 2 == 0) == up
    return np.where(has, UNLIMITED, 0).astype(np.int16)


def _recorded_lengths(records: Sequence[Samples], where: str) -> dict[bool, FloatArray]:
    """Lengths of all whole spells of records, with spot and without. Raises WhatIfError where one kind has none."""
    found: dict[bool, list[FloatArray]] = {True: [], False: []}
    for record in records:
        up = np.nan_to_num(record.value) > 0
        turns = np.flatnonzero(np.diff(up)) + 1
        lengths_s = np.diff(record.at_s[turns])
        for kind, parts in found.items():
            parts.append(lengths_s[up[turns[:-1]] == kind])
    lengths = {kind: np.concatenate([*parts, np.zeros(0)]) for kind, parts in found.items()}
    if not all(each.size for each in lengths.values()):
        raise WhatIfError(f"{where} has no whole spell with spot and one without; give a longer record, or spells")
    return lengths


def _refused(scenario: Scenario, zone: Zone | None, random: np.random.Generator) -> BoolArray | None:
    """When a zone starts no on-demand, `[step]`; None where that never happens."""
    refusals = scenario.faults.on_demand_refusals
    if refusals is None:
        return None
    refused = np.zeros(scenario.steps, np.bool_)
    if refusals.share > 0:
        room = _alternating(_free_and_refused(refusals, random), scenario, random)
        refused |= room == 0
    if zone is not None:
        hit = random.random(int(zone.spell[-1]) + 1) < refusals.with_spot
        refused |= (zone.room == 0) & hit[zone.spell]
    return refused


def _free_and_refused(refusals: Refusals, random: np.random.Generator) -> Callable[[bool, int], FloatArray]:
    free_s = refusals.lasts * (1 - refusals.share) / refusals.share

    def drawn(free: bool, count: int) -> FloatArray:  # noqa: FBT001 - which of the two
        return random.exponential(free_s if free else refusals.lasts, count)

    return drawn

"""How the tournament stands: who is in charge, and what it, the runner-up and the incumbent cost and missed.

What is shown of a tournament comes from here; nothing is decided by it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, floats, integers
from policies.forecast.nearby import STEP_S
from policies.lead_time import NOTHING, came_of, serving_per_replica
from policies.model import UNKNOWN, Status
from policies.rows import demand_tracks
from policies.tournament import (
    BEGUN_STEPS,
    EVIDENCE_STEPS,
    EXPERTS,
    GRID,
    HALF_LIFE_STEPS,
    HEARD_STEPS,
    HOLDS,
    INCUMBENT,
    INCUMBENT_LEAST,
    INCUMBENT_MOST,
    SCALES,
    USUAL_STEPS,
)

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.lead_time import LeadTime
    from policies.model import Fleet, Observation, Readings
    from policies.tournament import Scores

ROLES = ("in_charge", "runner_up", "incumbent")
FAMILIES = ("largest", "last", "middle", "incumbent", "seasonal-naive")  # of candidates, in their order
HEARD_S, EVIDENCE_S = HEARD_STEPS * STEP_S, EVIDENCE_STEPS * STEP_S
_A_FAMILY = SCALES.size * HOLDS.size
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Standing:
    """How the tournament stands, `[lane]` or `[lane, who]`: in charge, runner-up, incumbent; of about a week."""

    candidate: IntArray  # [lane, who]; UNKNOWN before the first
    trim: FloatArray  # scales added to those of the one in charge [lane]
    cost: FloatArray  # replicas, with what churn costs, on average [lane, who]
    late: FloatArray  # share of the load [lane, who]
    elsewhere: FloatArray  # share of cost and late that such candidates had on other loads, before any evidence [lane]
    realised: FloatArray  # share of the load late by what was ready, in shadow by its orders, of about two weeks [lane]
    budget: FloatArray  # share of the load that may come late [lane]
    known: IntArray  # steps of known load that this rests on [lane]
    sharing: IntArray  # others that are nearly as good as the one in charge and have a share in the order [lane]

    @classmethod
    def none(cls, lanes: int) -> Standing:
        """Nobody is in charge."""
        who, zero = (lanes, len(ROLES)), floats(lanes)
        nobody = np.full(who, UNKNOWN, np.int64)
        return cls(nobody, zero, np.zeros(who), np.zeros(who), zero, zero, zero, integers(lanes), integers(lanes))

    def of(self, lane: int) -> Standing:
        """That of one lane alone."""
        return Standing(*(getattr(self, name)[lane : lane + 1] for name in _FIELDS))

    @property
    def there(self) -> BoolArray:
        """Somebody is in charge, `[lane]`."""
        return np.asarray(self.candidate[:, 0] != UNKNOWN)

    @property
    def proven(self) -> BoolArray:
        """Its order counts, and cost and late say something of this lane, `[lane]`."""
        return np.asarray(self.there & (self.known >= HEARD_STEPS))

    @property
    def known_s(self) -> FloatArray:
        """For how long a load was known that this rests on, `[lane]`."""
        return np.asarray(self.known * STEP_S, np.float64)

    @property
    def evidence_ratio(self) -> FloatArray:
        """How much there is of the evidence that lets the one in charge decide alone, from 0 to 1, `[lane]`."""
        return np.minimum(self.known / EVIDENCE_STEPS, 1.0)


_FIELDS = tuple(each.name for each in fields(Standing))


def standing_of(lead: LeadTime, fleet: Fleet) -> Standing:
    """Who is in charge of each lane, and what it, the runner-up and the incumbent cost and missed in shadow.

    Nobody is of lanes that are not to be forecast, and before the first usable demand.
    """
    scores, lanes = lead.scores, np.arange(lead.lanes)[:, None]
    there = fleet.forecast & (scores.in_charge != UNKNOWN)
    who = np.stack([scores.in_charge, scores.runner_up, integers(lead.lanes, INCUMBENT)], axis=1)
    who = np.where(there[:, None], who, UNKNOWN)
    place = np.maximum(who, 0)
    steps, load = _scored_steps(scores), np.maximum(scores.load[:, -1:], _NOISE)
    late = np.minimum(scores.late[lanes, -1, place] / load, 1.0)
    return Standing(
        candidate=who,
        trim=scores.trim,
        cost=scores.cost[lanes, -1, place] / steps[:, None],
        late=late,
        elsewhere=np.minimum(_begun_steps(scores) / steps, 1.0),
        realised=scores.realised[:, 0] / np.maximum(scores.realised[:, 1], _NOISE),
        budget=_budget(fleet, late[:, ROLES.index("incumbent")], scores.known),
        known=scores.known,
        sharing=np.where(scores.in_charge < GRID, scores.sharing, 0),
    )


def awaited_tracks(fleet: Fleet, seen: Observation, readings: Readings) -> BoolArray:
    """The demand tracks for want of which the load of a lane adds no evidence now, `[track]`.

    `readings` are those that the decision took. Such a track is not fresh, or nobody knows what a replica serves of it.
    A lane that is not to be forecast awaits none.
    """
    tracks, seen = demand_tracks(fleet), replace(seen, readings=readings)
    lane, (_, usable) = fleet.tracks.lane[tracks], came_of(fleet, seen)
    awaited = booleans(fleet.tracks.lane.size)
    unread = (readings.status[tracks] != Status.FRESH) | (serving_per_replica(fleet, seen) <= 0)
    awaited[tracks] = unread & (usable[lane] == NOTHING) & fleet.forecast[lane]
    return awaited


@cache
def family_name(candidate: int) -> str:
    """The family of a candidate, one of `FAMILIES`."""
    return FAMILIES[candidate // _A_FAMILY if candidate < GRID else candidate - GRID + EXPERTS]


def margin_of(candidate: int) -> tuple[float, float]:
    """Scales that a candidate of the grid adds to its forecast, and seconds for which it holds its largest order."""
    rest = candidate % _A_FAMILY
    return float(SCALES[rest // HOLDS.size]), float(HOLDS[rest % HOLDS.size] * STEP_S)


@cache
def candidate_name(candidate: int) -> str:
    """What a candidate does, in a few words: "largest +1.8 errors, held 5 min"."""
    if candidate >= GRID:
        return family_name(candidate)
    scales, hold_s = margin_of(candidate)
    held = f", held {hold_s / 60:g} min" if hold_s else ""
    return f"{family_name(candidate)} {scales:+g} errors{held}"


def _budget(fleet: Fleet, incumbent: FloatArray, known: IntArray) -> FloatArray:
    """What the tournament holds the one in charge to: as written, or what the incumbent missed in shadow, `[lane]`."""
    aims = fleet.aims
    most = np.where(aims.slo_window_s > 0, fleet.late_ratio, INCUMBENT_MOST)
    measured = aims.late_incumbent & (known >= EVIDENCE_STEPS)
    return np.where(measured, np.minimum(np.maximum(incumbent, INCUMBENT_LEAST), most), fleet.late_ratio)


def _scored_steps(scores: Scores) -> FloatArray:
    """The steps that the costs of about a week are a sum of, older ones for less, `[lane]`; at least 1."""
    return np.asarray(np.maximum(scores.usual[:, 1] + (1.0 - USUAL_STEPS / BEGUN_STEPS) * _begun_steps(scores), 1.0))


def _begun_steps(scores: Scores) -> FloatArray:
    """Those among `_scored_steps` that are what such candidates cost and missed on other loads, `[lane]`."""
    return np.asarray(BEGUN_STEPS * 0.5 ** (scores.known / HALF_LIFE_STEPS[-1]))

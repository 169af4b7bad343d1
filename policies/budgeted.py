"""Budgets of money and GPUs: what they leave of what workloads ask for, the lower priorities yielding first.

Who has which priority, and which caps there are, says `BudgetTerms`; the sharing is `policies.mix.budgets`. Within one
priority replicas that run go before others that would start, as equals do not displace each other in Kubernetes
either; what is left goes where most is missed of objectives for what it takes, else so that most replicas are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, floats, indices, integers, small
from policies.budget_terms import GPUS, RESOURCES
from policies.candidates import written_limits
from policies.fixed import fixed_lanes
from policies.guardrails import holds_of
from policies.hpa.behavior import Moment, Moves
from policies.lateness import realised
from policies.mix.budgets import SAME, Asks, Caps, Scope, Unkept, share
from policies.model import UNKNOWN, Hold, Kind, Mode, Status, Why

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.budget_terms import BudgetTerms
    from policies.hpa.behavior import Bounds
    from policies.mix.budgets import Shares
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal
    from policies.state import EngineState

_LEAST_LATE = 1e-4


@dataclass(frozen=True, slots=True)
class Budgeted:
    """What budgets left, `[lane]`; all empty where nothing is capped."""

    need: FloatArray  # of one replica; UNKNOWN where nobody knows [lane, resource]
    wanted: IntArray
    kept: IntArray
    scope: SmallArray  # `Scope` of the cap that left less than was wanted; NONE where all is kept
    resource: SmallArray  # of that cap
    unkept: tuple[Unkept, ...]  # caps below what may not go; a row is a lane, or a row of the namespaces' caps

    @classmethod
    def none(cls) -> Budgeted:
        """Nothing is capped."""
        return cls(np.zeros((0, RESOURCES)), integers(0), integers(0), small(0), small(0), ())

    @property
    def withheld(self) -> IntArray:
        """Replicas that were asked for and are not kept, `[lane]`."""
        return self.wanted - self.kept


@dataclass(frozen=True, slots=True)
class _Asked:
    """What lanes ask for, `[lane]`."""

    least: IntArray  # may not go now, whatever the budget
    wanted: IntArray
    current: IntArray
    missed: FloatArray  # what is late now over what may be, where that is above 1 and a late signal tells

    def fixed(self, lanes: BoolArray) -> _Asked:
        """The same, where `lanes` use what they use now and nothing else."""
        least, wanted = (np.where(lanes, self.current, each) for each in (self.least, self.wanted))
        return replace(self, least=least, wanted=wanted)


def within_budgets(
    proposal: Proposal, fleet: Fleet, state: EngineState, seen: Observation, bounds: Bounds
) -> tuple[Proposal, Budgeted]:
    """`proposal` within all budgets, and what they left.

    Caps hold but for what may not go: the minimum in force, what written rates keep, workloads whose data is not fresh,
    counts that people have fixed, and held ones, which use what they use now. So do shadow workloads, as others see
    them; they themselves are told what they would have if all shadow were active. What fits is not touched. Lanes do
    not decide the same alone as in a fleet here, where a namespace or the fleet has a cap.
    """
    if not fleet.budget.caps():
        return proposal, Budgeted.none()
    hold, current = holds_of(fleet, seen.hold), np.maximum(seen.spec_replicas, 0)
    held, shadow = hold != Hold.NONE, fleet.mode == Mode.SHADOW
    need = needs_of(fleet, seen)
    least = _least(proposal, fleet, state, seen, bounds)
    least = np.where(fixed_lanes(seen.fixed, fleet.lanes), proposal.target, least)
    asked = _Asked(least, proposal.target, current, _missed(fleet, seen)).fixed(held)
    told = _shared(fleet.budget, need, asked)
    if shadow.any() and not (shadow | held).all():
        acting = _shared(fleet.budget, need, asked.fixed(shadow))
        told = replace(
            told,
            kept=np.where(shadow, told.kept, acting.kept),
            scope=np.where(shadow, told.scope, acting.scope),
            resource=np.where(shadow, told.resource, acting.resource),
            unkept=acting.unkept,
        )
    return proposal.where(~held, told.kept, rule="budget"), told


def needs_of(fleet: Fleet, seen: Observation) -> FloatArray:
    """What one replica takes, `[lane, resource]`: as the policy says, else as its pods ask; UNKNOWN else."""
    need = fleet.budget.need.copy()
    if seen.gpus_milli is not None:
        asked = np.where(seen.gpus_milli == UNKNOWN, UNKNOWN, seen.gpus_milli / 1000.0)
        need[:, GPUS] = np.where(need[:, GPUS] == UNKNOWN, asked, need[:, GPUS])
    return need


def unseen_lanes(fleet: Fleet, seen: Observation) -> BoolArray:
    """The lanes of which some data is not fresh, `[lane]`; saturated ones are seen well enough to yield to others."""
    reading, asks = seen.readings, fleet.tracks.kind != Kind.LATE
    saturated = (reading.status == Status.CENSORED) & (reading.why == Why.SATURATED)
    return any_by(fleet.tracks.lane, asks & (reading.status != Status.FRESH) & ~saturated, fleet.lanes)


def _least(proposal: Proposal, fleet: Fleet, state: EngineState, seen: Observation, bounds: Bounds) -> IntArray:
    """What budgets may not take, `[lane]`: never more than is proposed."""
    current = seen.spec_replicas
    rates = written_limits(Moment(fleet.behavior, fleet.limits, seen.now_s, current), Moves(state.rises, state.falls))
    stays = np.where(unseen_lanes(fleet, seen), current, np.minimum(rates.low, current))
    return np.clip(np.maximum(bounds.low, stays), 0, proposal.target)


def _missed(fleet: Fleet, seen: Observation) -> FloatArray:
    """How many times what may be late is late now, at least 1, `[lane]`; 1 where no late signal tells."""
    late, told = realised(fleet, seen.readings)
    return np.where(told, np.maximum(late / np.maximum(fleet.late_ratio, _LEAST_LATE), 1.0), 1.0)


def _shared(terms: BudgetTerms, need: FloatArray, asked: _Asked) -> Budgeted:
    """What is kept. Lanes under caps that suffice keep all they want, so that only the others are shared among."""
    kept, lanes = asked.wanted.copy(), asked.wanted.size
    scope, resource = small(lanes), small(lanes)
    unkept: tuple[Unkept, ...] = ()
    tight = indices(_tight(terms, np.maximum(need, 0.0), asked.wanted))
    if tight.size:
        shares, starts = _shares(terms, need[tight].clip(min=0.0), asked, tight)
        count = tight.size
        kept[tight] = shares.replicas[:count]
        kept[starts] += shares.replicas[count:]
        for rows, places in ((starts, slice(count, None)), (tight, slice(count))):  # what runs has the last word
            told = shares.scope[places] != Scope.NONE
            scope[rows[told]], resource[rows[told]] = shares.scope[places][told], shares.resource[places][told]
        unkept = tuple(
            replace(each, row=int(tight[each.row])) if each.scope == Scope.WORKLOAD else each for each in shares.unkept
        )
    return Budgeted(need, asked.wanted, kept, scope, resource, unkept)


def _tight(terms: BudgetTerms, need: FloatArray, wanted: IntArray) -> BoolArray:
    """The lanes under a cap that is less than all under it want, `[lane]`."""
    use, names = wanted[:, np.newaxis] * need, terms.namespaces.shape[0]
    of_names = np.stack([np.bincount(terms.namespace, each, names) for each in use.T], axis=1)
    broken = (of_names > terms.namespaces + SAME)[terms.namespace] | (use.sum(axis=0) > terms.fleet + SAME)
    tight: BoolArray = ((use > terms.own + SAME) | (broken & (need > 0))).any(axis=1)
    return tight


def _shares(terms: BudgetTerms, need: FloatArray, asked: _Asked, tight: IntArray) -> tuple[Shares, IntArray]:
    """The shares of the `tight` lanes' running replicas, then of those that some of them would start; and which."""
    least, wanted = asked.least[tight], asked.wanted[tight]
    runs = np.clip(asked.current[tight], least, wanted)
    more = indices(wanted > runs)
    rows = np.concatenate([np.arange(tight.size), more])
    order = 2 * terms.priority[tight]
    asks = Asks(
        floor=np.concatenate([least, integers(more.size)]),
        wanted=np.concatenate([runs, (wanted - runs)[more]]),
        need=need[rows],
        priority=np.concatenate([order + 1, order[more]]),
        value=np.concatenate([floats(tight.size, 1.0), asked.missed[tight][more]]),
        namespace=terms.namespace[tight][rows],
    )
    own = terms.own[tight]
    left = np.maximum(own - runs[:, np.newaxis] * need, 0.0)[more]
    return share(asks, Caps(np.concatenate([own, left]), terms.namespaces, terms.fleet)), tight[more]

"""What the figures of a workload rest on or cannot know, found in its own history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulations.audit.autoscaler import About, Finding, per_cent
from simulations.serving import DAY_S, HOUR_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.arrays import BoolArray
    from simulations.audit.case import Case
    from simulations.audit.figures import Outcome

FULL_RATIO = 0.95  # of its capacity: from here on what is served may be less than what was asked for
FEW_DAYS = 7.0
RARE_RATIO = 0.001
GAP_RATIO = 0.01
DISAGREE_RATIO = 0.15


def findings_of(case: Case, incumbent: Outcome, rule: Outcome, scored: BoolArray) -> list[Finding]:
    """Everything that makes the figures of a case less than certain, in a fixed order."""
    return [
        *_short(case, scored),
        *_gaps(case),
        *_full(case, incumbent, scored),
        *_at_most(case, incumbent, scored),
        *_disagrees(case, incumbent, rule),
        *_behaves(case),
    ]


def _short(case: Case, scored: BoolArray) -> Iterator[Finding]:
    days = float(scored.sum()) * case.serving.step_s / DAY_S
    if days < FEW_DAYS:
        warm_d = case.track.warmup_steps * case.serving.step_s / DAY_S
        yield Finding(
            About.HISTORY,
            f"only {days:.1f} days are compared, after {warm_d:.0f} of warm-up: no week has been seen whole, and"
            " intervals over so few days are too narrow or absent",
        )


def _gaps(case: Case) -> Iterator[Finding]:
    share = 1.0 - float(case.track.known.mean())
    if share > GAP_RATIO:
        hours = share * case.track.at_s.size * case.serving.step_s / HOUR_S
        yield Finding(
            About.LOAD,
            f"the load is missing for {hours:.1f} hours ({per_cent(share)} of the span); they count neither as cost nor"
            " as late, and whoever decides in the replay sees no load then",
        )


def _full(case: Case, incumbent: Outcome, scored: BoolArray) -> Iterator[Finding]:
    if case.seen is None:
        return
    full = scored & (case.track.demand >= FULL_RATIO * incumbent.ready * case.serving.capacity)
    share = float(full.sum()) / max(1, int(scored.sum()))
    if share > RARE_RATIO:
        yield Finding(
            About.CENSORED,
            f"in {per_cent(share)} of the time the load was at the capacity of the ready replicas: what was asked for"
            " may have been more, so both late shares are lower bounds there, or the capacity is set too low",
        )


def _at_most(case: Case, incumbent: Outcome, scored: BoolArray) -> Iterator[Finding]:
    highest = case.autoscaler.max_replicas
    at_most = scored & (incumbent.paid >= highest)
    share = float(at_most.sum()) / max(1, int(scored.sum()))
    if share > RARE_RATIO:
        yield Finding(
            About.CENSORED,
            f"in {per_cent(share)} of the time the workload stood at its maximum of {highest} replicas: no autoscaler"
            " could have helped there; Foresail is held to the same maximum",
        )


def _disagrees(case: Case, incumbent: Outcome, rule: Outcome) -> Iterator[Finding]:
    """The incumbent's rule, replayed on this load, should cost what the incumbent did."""
    if case.seen is None or not incumbent.replica_hours:
        return
    ratio = rule.replica_hours / incumbent.replica_hours
    if np.abs(ratio - 1.0) > DISAGREE_RATIO:
        yield Finding(
            About.REPLICAS,
            f"the incumbent's rule replayed on this load costs {ratio:.2f} times what was really paid: something else"
            " than this metric and these bounds moved the replicas, or capacity or start-up are not as assumed",
        )


def _behaves(case: Case) -> Iterator[Finding]:
    if case.autoscaler.behavior is not None:
        yield Finding(
            About.BEHAVIOR,
            "the autoscaler's own behavior binds its rule in the replay, and not Foresail, whose policy to start with"
            " has none; write it there as spec.behavior if it should bind Foresail too",
        )

"""What is news in a tick: changed decisions, what was done, and what begins or ends to be wrong. Nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.records import Message
from controller.telemetry import SAFE_MODES, placement, safe_modes
from policies.explain_budget import budget_sentences
from policies.guardrails import HOLD_RULES
from policies.model import RULES, Hold, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.records import TargetRef, TickReport

_BEGINS = {
    "kill_switch": "The kill switch is on: Foresail changes nothing.",
    "cluster_down": "What is known of the cluster is too old: Foresail changes nothing there.",
    "no_fresh_data": "No signal is fresh: Foresail lowers nothing.",
}


@dataclass(slots=True)
class News:
    """Remembers what was last told. The first tick tells what is wrong, and takes decisions as known."""

    _refs: dict[str, TargetRef] = field(default_factory=dict)
    _targets: dict[str, int] | None = None
    _holds: dict[str, Hold] = field(default_factory=dict)
    _problems: frozenset[str] = field(default_factory=frozenset)
    _safe: frozenset[str] = field(default_factory=frozenset)
    _capped: frozenset[str] = field(default_factory=frozenset)

    def of(self, report: TickReport) -> list[Message]:
        """The messages of a tick, in the order in which they matter."""
        self._refs = dict(zip(report.fleet.uid, report.targets, strict=True))
        return [
            *self._safe_modes(report),
            *self._refusals(report),
            *_interruptions(report),
            *self._held(report),
            *self._budgets(report),
            *self._decided(report),
            *_done(report),
        ]

    def _safe_modes(self, report: TickReport) -> Iterator[Message]:
        now = frozenset(reason for reason, on in zip(SAFE_MODES, safe_modes(report), strict=True) if on)
        before, self._safe = self._safe, now
        for reason in sorted(now - before):
            yield Message("safe_mode", report.at_s, report.killed or _BEGINS[reason], reason=reason)
        for reason in sorted(before - now):
            yield Message("safe_mode_end", report.at_s, "Foresail acts again.", reason=reason)

    def _refusals(self, report: TickReport) -> Iterator[Message]:
        now = frozenset(report.policies.problems)
        before, self._problems = self._problems, now
        for problem in sorted(now - before):
            yield Message("refusal", report.at_s, problem, reason="policy_refused")

    def _held(self, report: TickReport) -> Iterator[Message]:
        hold, fleet = report.decision.hold, report.fleet
        held = {fleet.uid[lane]: Hold(int(hold[lane])) for lane in np.flatnonzero(hold != Hold.NONE).tolist()}
        before, self._holds = self._holds, held
        for uid, why in held.items():
            if before.get(uid) != why:
                words = report.owners.get(uid) or report.killed or "Foresail does not change this workload."
                yield Message("hold", report.at_s, words, *self._name(uid), HOLD_RULES[why])
        for uid in sorted(before.keys() - held.keys() & self._refs.keys()):
            yield Message("release", report.at_s, "Foresail is free to change this workload again.", *self._name(uid))

    def _budgets(self, report: TickReport) -> Iterator[Message]:
        fleet, decision = report.fleet, report.decision
        now = {fleet.uid[lane]: lane for lane in np.flatnonzero(decision.budget.withheld > 0).tolist()}
        before, self._capped = self._capped, frozenset(now)
        for uid, lane in now.items():
            if uid not in before:
                words = " ".join(budget_sentences(fleet, decision, lane)) or "A budget withholds replicas."
                asked = (int(decision.budget.wanted[lane]), int(decision.budget.kept[lane]))
                yield Message("budget", report.at_s, words, *self._name(uid), "budget", *asked)
        for uid in sorted(before - now.keys() & self._refs.keys()):
            yield Message("budget_end", report.at_s, "No budget withholds replicas any more.", *self._name(uid))

    def _decided(self, report: TickReport) -> Iterator[Message]:
        plan, fleet = report.decision.replicas, report.fleet
        targets = dict(zip(fleet.uid, plan.target.tolist(), strict=True))
        before, self._targets = self._targets, targets
        for lane, uid in enumerate(fleet.uid if before is not None else ()):
            known = (before or {}).get(uid)
            if known is not None and known != targets[uid]:
                mode = Mode(int(fleet.mode[lane])).name.lower()
                words = f"Decided {targets[uid]} replicas instead of {known} (mode {mode})."
                reason = RULES[int(plan.reason[lane])]
                yield Message("decision", report.at_s, words, *self._name(uid), reason, known, targets[uid])

    def _name(self, uid: str) -> tuple[str, str]:
        ref = self._refs[uid]
        return ref.namespace, ref.name


def _done(report: TickReport) -> Iterator[Message]:
    for outcome in report.outcomes:
        order = outcome.order
        change = f"from {order.before} to {order.after} replicas"
        kind, words, reason = "scaled", f"Scaled {change}.", order.reason
        if outcome.result != "applied":
            kind, reason = "refusal", outcome.result
            words = f"Not scaled {change} ({outcome.result}): {outcome.message}"
        ref = order.ref
        yield Message(kind, report.at_s, words, ref.namespace, ref.name, reason, order.before, order.after)


def _interruptions(report: TickReport) -> Iterator[Message]:
    for zone, lost in placement.interruptions(report).items():
        yield Message("interruption", report.at_s, f"{lost} spot replicas were taken back in {zone}.", reason=zone)

"""What the API says of who holds what: pauses, overrides, annotations and everything else that keeps a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.web.times import time_text
from policies.codes import word_of
from policies.explain import HOLD_WORDS
from policies.fixed import FIXED_RULES, FixedBy
from policies.model import Hold

if TYPE_CHECKING:
    from controller import records
    from controller.records import TickReport
    from controller.web.schemas import WorkloadHold
    from controller.web.shapes import FixedCount, Intervention


def intervention(told: records.Intervention) -> Intervention:
    """What somebody told."""
    namespace, _, name = told.uid.partition("/")
    return {
        "namespace": namespace or None,
        "name": name or None,
        "kind": told.kind,
        "replicas": told.replicas,
        "who": told.who,
        "reason": told.reason,
        "at": time_text(told.at_s),
        "until": time_text(told.until_s),
    }


def of_workload(report: TickReport, lane: int) -> Intervention | None:
    """What somebody told of one workload."""
    told = report.interventions.get(report.fleet.uid[lane])
    return None if told is None else intervention(told)


def fixed(report: TickReport, lane: int) -> FixedCount | None:
    """The count that people have fixed."""
    counts = report.decision.fixed
    if counts is None or counts.by[lane] == FixedBy.NOBODY:
        return None
    return {"replicas": int(counts.replicas[lane]), "by": FixedBy(int(counts.by[lane])).name.lower()}


def hold_name(report: TickReport, lane: int) -> str | None:
    """Why a workload is not changed, or by what its count is fixed; None where neither is so."""
    hold = int(report.decision.hold[lane])
    if hold != Hold.NONE:
        return word_of(Hold, hold)
    counts = report.decision.fixed
    by = FixedBy.NOBODY if counts is None else FixedBy(int(counts.by[lane]))
    return FIXED_RULES.get(by)


def held(report: TickReport, lane: int) -> WorkloadHold | None:
    """One workload of the list of holds; None where nothing holds it."""
    name = hold_name(report, lane)
    if name is None:
        return None
    uid = report.fleet.uid[lane]
    namespace, _, own = uid.partition("/")
    hold = Hold(int(report.decision.hold[lane]))
    why = "people have fixed its count" if hold is Hold.NONE else HOLD_WORDS[hold]
    return {
        "namespace": namespace,
        "name": own,
        "hold": name,
        "why": f"{why}: {report.owners[uid]}" if uid in report.owners else why,
        "fixed": fixed(report, lane),
        "intervention": of_workload(report, lane),
    }


def sentences(report: TickReport, lane: int) -> list[str]:
    """Who told what of a workload, and of all, and until when."""
    standing = (report.interventions.get(uid) for uid in ("", report.fleet.uid[lane]))
    return [_sentence(told) for told in standing if told is not None]


def _sentence(told: records.Intervention) -> str:
    what = f"overrode its count with {told.replicas}" if told.kind == "override" else "paused it"
    if not told.uid:
        what = "paused all workloads"
    return f"{told.who} {what} until {time_text(told.until_s)}, because: {told.reason}"

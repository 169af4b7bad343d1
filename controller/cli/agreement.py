"""How `replay` and `backtest` tell whether a journal's decisions, made again, are those that the daemon made."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from controller.cli.flags import journal_url
from controller.cli.times import moment_text, span_of
from controller.cli.whatif import progress

if TYPE_CHECKING:
    from controller.loop.compared import Difference
    from controller.recorded import Asked, Recorded


def asked_of(journal: str, workloads: tuple[str, ...], since: str | None, until: str | None) -> "Asked":
    """What the options ask for; what is wrong with them ends the command as a usage error."""
    from controller.recorded import Asked

    return Asked(journal_url(journal), *span_of(since, until), workloads)


def decided_again(asked: "Asked") -> "Recorded":
    """Decide a journal again, with progress. Raises Unavailable or Rejected."""
    from controller.recorded import recorded_of

    began_s = time.perf_counter()
    recorded = asyncio.run(recorded_of(asked, partial(progress, "deciding again")))
    return replace(recorded, wall_s=round(time.perf_counter() - began_s, 3))


def journal_document(recorded: "Recorded") -> dict[str, Any]:
    """The key `journal` of the JSON."""
    said, snapshot_at_s = recorded.agreement, recorded.snapshot_at_s
    first_s, last_s = recorded.span_s
    return {
        "equal": said.equal,
        "since": moment_text(first_s),
        "until": moment_text(last_s),
        "snapshot": None if snapshot_at_s is None else moment_text(snapshot_at_s),
        "ticks": said.ticks,
        "equal_ticks": said.equal_ticks,
        "workloads": len(said.workloads),
        "equal_workloads": len(said.workloads - said.unequal_workloads),
        "decisions": said.decisions,
        "equal_targets": said.equal_targets,
        "equal_actions": said.equal_actions,
        "equal_reasons": said.equal_reasons,
        "recorded": said.recorded,
        "equal_recorded": said.equal_recorded,
        "whole_ticks": said.whole,
        "snapshots": said.snapshots,
        "equal_snapshots": said.equal_snapshots,
        "unequal_snapshot": None if said.unequal_snapshot_at_s is None else moment_text(said.unequal_snapshot_at_s),
        "versions": sorted(said.versions),
        "unobserved": said.unobserved,
        "differing": said.differing,
        "differences": [_difference(each) for each in said.first],
        "wall_s": recorded.wall_s,
    }


def journal_words(recorded: "Recorded") -> str:
    """The same for people."""
    said, (first_s, last_s) = recorded.agreement, recorded.span_s
    begun = "from a fresh state" if recorded.snapshot_at_s is None else f"from {moment_text(recorded.snapshot_at_s)}"
    span = f"{moment_text(first_s)} to {moment_text(last_s)}"
    equal = f"{said.equal_targets} in target, {said.equal_actions} in action, {said.equal_reasons} in reason"
    lines = [
        f"journal: {said.ticks} ticks of {len(said.workloads)} workloads, {span}",
        f"  decided again {begun} in {recorded.wall_s:.1f} s: {said.decisions} decisions, of which equal: {equal}",
        f"  {said.recorded} of them are recorded, of which equal in every field and step: {said.equal_recorded}",
        f"  {said.snapshots} snapshots of the daemon's state, of which equal bit for bit: {said.equal_snapshots}",
        f"  {said.whole} ticks recorded every workload, as the first of a daemon or of new policies does",
    ]
    if said.equal:
        lines.append("  every decision is the one that the daemon made")
    elif said.differing:
        lines.append(f"  {said.differing} differ; the first:")
    for place, each in enumerate(said.first):
        what = ", ".join(each.fields)
        lines.append(f"    {moment_text(each.at_s)} {each.uid}: {what}: recorded {each.recorded}; now {each.decided}")
        if place == 0 and each.rule:
            lines.append(f"      they part at the rule {each.rule}; what it had to go by:")
            lines += [f"        {sentence}" for sentence in each.read]
    if said.unequal_snapshot_at_s is not None:
        lines.append(f"  the state after {moment_text(said.unequal_snapshot_at_s)} is not the one that was saved")
    if others := sorted(said.versions - {version("foresail")}):
        lines.append(f"  Foresail {' and '.join(others)} decided then; this is {version('foresail')}")
    return "\n".join(lines)


def _difference(each: "Difference") -> dict[str, Any]:
    return {
        "timestamp": each.at_s,
        "workload": each.uid,
        "fields": list(each.fields),
        "recorded": each.recorded,
        "decided": each.decided,
        "rule": each.rule,
        "read": list(each.read),
    }

"""What the log says when something begins to be wrong, changes, or is well again: once each, and never every tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from controller.records import TickReport

log = structlog.get_logger("foresail.loop")

FEW = 10  # workloads that a line names; their count is beside them


@dataclass(slots=True)
class Noticed:
    """Remembers what was last said."""

    _problems: frozenset[str] = field(default_factory=frozenset)
    _owners: dict[str, str] = field(default_factory=dict)
    _well: dict[str, bool] = field(default_factory=dict)

    def policies(self, problems: tuple[str, ...], *, count: int) -> None:
        """Say which policies are refused, and when none is in force."""
        new = frozenset(problems)
        for problem in sorted(new - self._problems):
            log.warning("policy refused", problem=problem)
        if self._problems and not new:
            log.info("all policies accepted", count=count)
        self._problems = new
        self._state("policies", well=count > 0, message="no policy is in force, so there is nothing to do")

    def tick(self, report: TickReport) -> None:
        """Say what a tick could not read or must not touch."""
        for source in report.sources:
            self._state(source.name, well=source.ok, message=source.message, failed=source.failed)
        killed = report.killed
        self._state("kill switch", well=killed is None, message=killed or "")
        held: dict[str, list[str]] = {}
        for uid, words in report.owners.items():
            if self._owners.get(uid) != words:
                held.setdefault(words, []).append(uid)
        for words, uids in held.items():
            log.warning("workloads held or not read", workloads=_few(uids), count=len(uids), reason=words)
        if free := sorted(self._owners.keys() - report.owners.keys()):
            log.info("workloads free again", workloads=_few(free), count=len(free))
        self._owners = dict(report.owners)

    def _state(self, name: str, *, well: bool, message: str, **more: object) -> None:
        before = self._well.get(name, True)
        self._well[name] = well
        if before and not well:
            log.warning("not well", what=name, err=message, **more)
        elif well and not before:
            log.info("well again", what=name)


def _few(uids: list[str]) -> list[str]:
    """The first of them: a line of the log is to be read."""
    return uids[:FEW]

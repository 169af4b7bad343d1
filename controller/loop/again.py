"""Decides again, in order, what a journal recorded: the engine that the daemon runs, on the observations it had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.engine import decide
from policies.snapshot import core_again, core_of, fleet_from, observation_from, state_from
from policies.state import EngineState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controller.journal import Beginning, DecisionRow, Page, TickRow
    from policies.model import Decision, Fleet, Observation


@dataclass(frozen=True, slots=True)
class Decided:
    """One recorded tick, decided again. `rows` are what the daemon recorded of it, by uid.

    `changed` says that the daemon had another fleet at the tick before, or none. `remembered` says whether the state
    after it is the one that was saved, bit for bit; None where none was. `version` is that of the daemon, if known.
    """

    fleet: Fleet
    seen: Observation
    decision: Decision
    rows: Mapping[str, DecisionRow]
    changed: bool
    remembered: bool | None = None
    version: str = ""

    @property
    def at_s(self) -> float:
        """Wall time of the tick."""
        return self.seen.now_s


class Again:
    """The state that a journal begins with, taken forward by `take` page after page."""

    def __init__(self, begin: Beginning) -> None:
        """Raises ValueError when the snapshot is damaged, or of a version that this program does not read."""
        snapshot = begin.snapshot
        self.unobserved: list[DecisionRow] = []  # decisions of which no observation was kept
        self._state = None if snapshot is None else state_from(snapshot.core, snapshot.blocks)
        self._digest = "" if snapshot is None else snapshot.fleet_digest
        self._fleets: dict[str, Fleet] = {}

    @property
    def state(self) -> EngineState | None:
        """The state after the last tick; None before the first where there was no snapshot."""
        return self._state

    def take(self, page: Page) -> Iterator[Decided]:
        """Decide the ticks of a page, which must follow those of the last one.

        Raises ValueError when a fleet is not there, or bytes are damaged or of a version that is not known.
        """
        rows: dict[float, dict[str, DecisionRow]] = {tick.at_s: {} for tick in page.ticks}
        for row in page.decisions:
            if row.at_s in rows:
                rows[row.at_s][row.uid] = row
            else:
                self.unobserved.append(row)
        for tick in page.ticks:
            yield self._decided(tick, page, rows[tick.at_s])

    def _decided(self, tick: TickRow, page: Page, rows: Mapping[str, DecisionRow]) -> Decided:
        fleet, seen = self._fleet(tick.fleet_digest, page), observation_from(tick.observation)
        state = EngineState.fresh(fleet) if self._state is None else self._state
        self._state, decision = decide(fleet, state, seen)
        changed, self._digest = tick.fleet_digest != self._digest, tick.fleet_digest
        saved = page.cores.get(tick.at_s)
        remembered = None if saved is None else _same(core_of(self._state), saved)
        version = page.versions.get(tick.fleet_digest, "")
        return Decided(fleet, seen, decision, rows, changed, remembered, version)

    def _fleet(self, digest: str, page: Page) -> Fleet:
        """Unpacked once, as `decide` is quicker for a fleet that it knows."""
        if digest not in self._fleets:
            if digest not in page.fleets:
                raise ValueError(f"fleet {digest[:12]} is not there: decide from a later time on")
            self._fleets[digest] = fleet_from(page.fleets[digest])
        return self._fleets[digest]


def _same(core: bytes, saved: bytes) -> bool:
    """Whether a state is the one that was saved, be it by an older program that knew less of it."""
    try:
        return core == saved or core == core_again(saved)
    except ValueError:
        return False

"""Each workload's next week, gone through beside the ticks in pieces: fits now and then, looks more often.

What is told is for people and never enters a decision.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import structlog

from policies.forecast.horizon import REFIT_EVERY_S, HorizonFit
from policies.forecast.outlook import PAST_MIN
from policies.forecast.planning import Piece, looked, refitted
from policies.forecast.plans import Plans
from policies.history import MINUTE_S
from policies.lead_time import serving_per_replica
from policies.rows import demand_rows, demand_tracks
from policies.subset import fleet_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from controller.collect.quotas import QuotaRoom
    from controller.ports import Clock
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.forecast.planning import Horizon
    from policies.model import Fleet, Observation
    from policies.state import EngineState

log = structlog.get_logger("foresail.planning")

LANES_AT_ONCE = 128  # with two weeks of one track each, 13 MB to the worker and two seconds there
MINUTES_AT_ONCE = LANES_AT_ONCE * 14 * 1440  # of all their tracks together
LOOK_EVERY_S = 1800.0
SOONEST_REFIT_S = 1800.0  # of a lane with little past; one is refitted when it has a quarter more, up to REFIT_EVERY_S
STALLED_S = 900.0  # without a tick nothing is begun
RETRY_S = (600.0, REFIT_EVERY_S)  # after a failure, and ever later up to the last
_NAMED = 5  # workloads in a message


@dataclass(frozen=True, slots=True)
class _Now:
    """The newest tick."""

    fleet: Fleet
    state: EngineState
    seen: Observation
    room: QuotaRoom


@dataclass(frozen=True, slots=True)
class _Due:
    """The lanes of the next piece of work, and whether they are fitted anew or looked at only."""

    lanes: IntArray
    refit: bool


@dataclass(slots=True)
class Planning:
    """Goes through the lanes that are due, one piece of work after another, each on the newest tick's past."""

    clock: Clock
    executor: Executor | None = None  # None works in a thread
    plans: Plans | None = None
    _now: _Now | None = None  # None pauses
    _fit: HorizonFit = field(default_factory=partial(HorizonFit.empty, ()))
    _task: asyncio.Task[None] | None = None
    _fleets: int = 0  # that were followed
    _unseen: set[str] = field(default_factory=set)  # lanes not looked at since the fleet changed
    _failed: dict[str, tuple[int, float]] = field(default_factory=dict)  # by uid of the lane: how often, until when
    _rests_until_s: float = -np.inf

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._task is not None and not self._task.done()

    @property
    def fit(self) -> HorizonFit:
        """What the plans rest on."""
        return self._fit

    def follow(self, fleet: Fleet) -> None:
        """Tell of the lanes of `fleet` from now on; all are looked at anew."""
        self._now = None
        self._fleets += 1
        self._unseen = set(fleet.uid)
        self.plans = Plans.empty(fleet) if self.plans is None else self.plans.aligned_to(fleet)
        self._failed = {uid: self._failed[uid] for uid in fleet.uid if uid in self._failed}

    def plan_when_due(
        self, fleet: Fleet, state: EngineState, seen: Observation, room: QuotaRoom, *, reading: bool
    ) -> None:
        """Take note of a tick and go through what is due; not while the past is being read."""
        self._now = None if reading or not state.history.hours else _Now(fleet, state, seen, room)
        if self._task is not None and self._task.done():
            fault, self._task = None if self._task.cancelled() else self._task.exception(), None
            if fault is not None:
                log.error("planning failed", err=repr(fault))
                self._rests_until_s = self.clock.now_s() + RETRY_S[0]
        if self._task is None and self.clock.now_s() >= self._rests_until_s and self._due() is not None:
            self._task = asyncio.create_task(self._go_through(), name="planning")

    def stop(self) -> None:
        """Give up what is under way."""
        self._now = None
        if self._task is not None:
            self._task.cancel()

    async def _go_through(self) -> None:
        began_s, fitted = self.clock.elapsed_s(), 0
        while (now := self._now) is not None and (due := self._due()) is not None:
            fleets = self._fleets
            piece = await asyncio.to_thread(_piece_of, now, due, self._fit)
            horizon = await self._done(partial(refitted if due.refit else looked, piece), piece.fleet.uid)
            if horizon is None:
                continue
            if due.refit:
                fitted += due.lanes.size
                _tell_changes(piece.before, horizon.fit)
                self._fit = await asyncio.to_thread(_kept, self._fit, demand_rows(now.fleet), horizon.fit)
            if self.plans is not None:  # of whatever fleet there is by now
                self.plans = self.plans.with_horizon(horizon)
            if fleets == self._fleets:
                self._unseen.difference_update(horizon.uid)
        if fitted:
            log.info("horizon refitted", workloads=fitted, elapsed_s=round(self.clock.elapsed_s() - began_s, 1))

    async def _done(self, work: Callable[[], Horizon], uids: Sequence[str]) -> Horizon | None:
        """What the worker made of a piece; None when that failed, and its lanes wait."""
        future = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(self.executor, work))
        try:
            await asyncio.wait([future])
        finally:
            future.cancel()
        fault = future.exception()
        if fault is None:
            for uid in uids:
                self._failed.pop(uid, None)
            return future.result()
        number = 1 + self._failed.get(uids[0], (0, 0.0))[0]
        wait_s = min(RETRY_S[0] * 2.0 ** (number - 1), RETRY_S[1])
        self._failed |= dict.fromkeys(uids, (number, self.clock.now_s() + wait_s))
        named = ", ".join(uids[:_NAMED])
        log.warning("horizon not refitted", err=repr(fault), retry_in_s=wait_s, lanes=len(uids), workloads=named)
        return None

    def _due(self) -> _Due | None:
        """What is to be done next: lanes to be fitted, else those to be looked at; the longest overdue come first."""
        now, plans = self._now, self.plans
        if now is None or plans is None or plans.uid != now.fleet.uid:
            return None
        now_s = self.clock.now_s()
        if now_s - now.seen.now_s > STALLED_S:
            return None
        able = self._able(now, now_s)
        fitted_s = np.full(plans.made_at_s.size, np.inf)
        np.minimum.at(fitted_s, plans.models.lane, plans.models.fitted_at_s)
        every_s = np.clip((now_s - plans.since_s) / 4, SOONEST_REFIT_S, REFIT_EVERY_S)
        old = able & _passed(fitted_s, every_s, now_s)
        if old.any():
            lanes, length_s = self._in_turn(plans.uid, old, fitted_s), float(now.fleet.history_s.max())
            return _Due(_part(lanes, plans.models.lane, length_s / MINUTE_S), refit=True)
        made_s = plans.made_at_s
        old = able & (_passed(made_s, LOOK_EVERY_S, now_s) | _among(plans.uid, self._unseen))
        lanes = self._in_turn(plans.uid, old, made_s)
        return _Due(_part(lanes, plans.models.lane, PAST_MIN), refit=False) if old.any() else None

    def _able(self, now: _Now, now_s: float) -> BoolArray:
        """Lanes with a demand signal whose capacity is known, that want forecasts and do not wait after a failure."""
        able = np.zeros(now.fleet.lanes, np.bool_)
        able[now.fleet.tracks.lane[demand_tracks(now.fleet)][serving_per_replica(now.fleet, now.seen) > 0]] = True
        able &= now.fleet.forecast
        return able & ~_among(now.fleet.uid, {uid for uid, (_, until_s) in self._failed.items() if until_s > now_s})

    def _in_turn(self, uids: Sequence[str], wanted: BoolArray, since_s: FloatArray) -> IntArray:
        """The first of the `wanted` lanes; fewer where a piece failed, to find the one at fault."""
        lanes = np.flatnonzero(wanted)
        lanes = lanes[np.argsort(since_s[lanes], kind="stable")]
        failed = [self._failed.get(uids[lane], (0, 0.0))[0] for lane in lanes.tolist()] if self._failed else None
        if not failed:
            return lanes[:LANES_AT_ONCE]
        alike = lanes[np.array(failed) == failed[0]]
        some: IntArray = alike[: max(1, LANES_AT_ONCE >> (2 * failed[0]))]
        return some


def _part(lanes: IntArray, lane_of_rows: IntArray, minutes: float) -> IntArray:
    """The first of `lanes` whose tracks together have MINUTES_AT_ONCE, one at the least, in the fleet's order."""
    rows = np.bincount(lane_of_rows, minlength=int(lanes.max(initial=0)) + 1)[lanes]
    room = int(np.searchsorted(np.cumsum(rows) * minutes, MINUTES_AT_ONCE, side="right"))
    part: IntArray = np.sort(lanes[: max(1, room)])
    return part


def _among(uids: Sequence[str], chosen: set[str]) -> BoolArray:
    return np.array([uid in chosen for uid in uids], np.bool_) if chosen else np.zeros(len(uids), np.bool_)


def _passed(at_s: FloatArray, every_s: FloatArray | float, now_s: float) -> BoolArray:
    """Whether `every_s` went by since `at_s`, or the clock was set back."""
    passed: BoolArray = (now_s - at_s >= every_s) | (at_s > now_s) & np.isfinite(at_s)
    return passed


def _piece_of(now: _Now, due: _Due, fit: HorizonFit) -> Piece:
    fleet, seen = now.fleet, now.seen
    keep = np.isin(np.arange(fleet.lanes), due.lanes)
    rows = np.flatnonzero(keep[fleet.tracks.lane[demand_tracks(fleet)]])
    part = fleet_for(fleet, keep)
    length_s = float(fleet.history_s.max()) if due.refit else MINUTE_S * PAST_MIN
    window = now.state.history.window(length_s, seen.now_s, rows)
    return Piece(
        fleet=part,
        window=window,
        serving=serving_per_replica(fleet, seen)[rows],
        quota=now.room.replicas(due.lanes, seen.pods_per_replica),
        now_s=seen.now_s,
        before=fit.aligned(demand_rows(part)),
    )


def _kept(fit: HorizonFit, rows: tuple[str, ...], part: HorizonFit) -> HorizonFit:
    return fit.aligned(rows).with_rows(part)


def _tell_changes(before: HorizonFit, fit: HorizonFit) -> None:
    """Log which models left their range, or are back in it."""
    known = before.known[:, np.newaxis, np.newaxis]  # a first judgement changes nothing
    lost, regained = known & fit.demoted & ~before.demoted, known & before.demoted & ~fit.demoted
    for change, rows in (("demoted", lost), ("taken back", regained)):
        places = np.argwhere(rows)
        if places.size:
            named = ", ".join(dict.fromkeys(fit.uid[row] for row in places[:_NAMED, 0].tolist()))
            figures = fit.coverage[rows][:_NAMED].round(3).tolist()
            log.info("forecast models changed", change=change, count=len(places), coverage=figures, signals=named)

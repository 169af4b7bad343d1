"""Foresail's own figures of the watched containers: use gathered into steps of five minutes, and what is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import numpy as np

from controller.records import Reason, Spoke
from controller.vertical.lanes import lanes_of
from controller.vertical.records import CPU, MEMORY, OWN, RESOURCES, VPA
from controller.vertical.status import amounts_by_container
from policies.arrays import BoolArray, FloatArray, IntArray, integers
from policies.resources import held
from policies.resources.foresail import Foresail
from policies.resources.held import NEEDED_S, STEP_S, HeldState
from policies.resources.memory import BUMP
from policies.resources.model import DAY_S, HOUR_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from controller.vertical.lanes import Lane
    from controller.vertical.records import Watched
    from policies.resources.held import Guide
    from policies.resources.model import Recommendation

Kind = TypeVar("Kind", bound=np.generic)

MEMORY_COLUMN = RESOURCES.index(MEMORY)
GRACE_S = HOUR_S  # so long what stands is left alone while the past cannot be read
FORGOTTEN_S = 7 * DAY_S  # without a round: then nothing that was learned is of this time
BACK_S = DAY_S  # a clock that goes back by more was wrong before
_METHOD = Foresail()


@dataclass(frozen=True, slots=True)
class Past:
    """What lanes used before, `[step, lane, resource]` in cores and bytes, and the number of its first step."""

    lanes: tuple[Lane, ...]
    used: FloatArray
    first: int


class Own:
    """What Foresail's own method knows and holds, a row a lane. The rows are those of the bank."""

    def __init__(self) -> None:
        """Know nothing."""
        self._state = HeldState.start(0, 0)
        self._began_s: float | None = None
        self._asked = np.zeros(0, np.bool_)
        self._read = np.zeros(0, np.bool_)  # whether the past was learned
        self._since_s = np.zeros(0)  # when a lane was first seen
        self._row_of = integers(0)  # of each pod's container
        self._sum, self._count, self._most = np.zeros(0), integers(0), np.zeros(0)  # of this step, by pod's container

    def follow(self, rows: IntArray, lanes: Mapping[Lane, int], watched: Sequence[Watched], now_s: float) -> None:
        """Have these rows in this order, -1 for a new one, and take what their autoscalers ask for."""
        self._start(now_s)
        new = rows < 0
        if rows.size != self._read.size or not np.array_equal(rows, np.arange(rows.size)):
            self._state.aligned(rows)
            self._read = ~new & _taken(self._read, rows, fill=False)
            self._since_s = np.where(new, now_s, _taken(self._since_s, rows, fill=0.0))
            self._asked = _taken(self._asked, rows, fill=True)
        for each in watched:
            self._follow_one(each, lanes, new)

    def gather(self, row_of: IntArray, places: IntArray) -> None:
        """Pods have changed: their containers' rows now, and what the place of each was before, -1 for none."""
        self._row_of = row_of
        self._sum, self._most = (_taken(each, places, fill=0.0) for each in (self._sum, self._most))
        self._count = _taken(self._count, places, fill=0)

    def take(self, resource: str, places: IntArray, used: FloatArray) -> None:
        """Take in what pods' containers use now, each at most once."""
        if resource == CPU:
            self._sum[places] += used
            self._count[places] += 1
        else:
            self._most[places] = np.maximum(self._most[places], used)

    def kill(self, rows: IntArray, requested: FloatArray, at_s: FloatArray) -> None:
        """Take in kills for want of memory. One before this daemon began has had its raise: it keeps what it has."""
        began_s = np.inf if self._began_s is None else self._began_s
        held.killed(self._state, rows, np.where(at_s < began_s, requested / BUMP, requested), self.speaks())
        self._since_s[rows[at_s >= began_s]] = -np.inf

    def raise_killed(self, rows: IntArray, guide: Guide) -> None:
        """Hold no less for containers that were killed than the vertical autoscaler's method asks for after it."""
        held.raise_memory(self._state, rows, guide.target[rows, MEMORY_COLUMN], self.speaks())

    def advance(self, guide: Guide, now_s: float) -> None:
        """End the steps that are over, of which those without a round have nothing, and decide after each."""
        step, state = int(now_s // STEP_S), self._state
        late_s = (step - state.cpu.now) * STEP_S
        if not -BACK_S <= late_s <= FORGOTTEN_S:
            self._forget(step)
            return
        while state.cpu.now < step:
            held.observe(state, self._ended())
            held.decide(state, guide, self.speaks())
        speaks = self.speaks()
        held.follow(state, guide, ~speaks & ~self._standing(now_s)[:, None])
        held.begin(state, guide, speaks)

    def unread(self, lane_rows: Sequence[int]) -> bool:
        """Whether the past of one of these rows is still to be learned."""
        return not self._read[list(lane_rows)].all()

    def restore(self, rows: Mapping[Lane, int], past: Past) -> None:
        """Learn the past of lanes; those that have learned theirs, or are gone, are left out."""
        known = [n for n, lane in enumerate(past.lanes) if lane in rows and not self._read[rows[lane]]]
        mine = np.array([rows[past.lanes[n]] for n in known], np.int64)
        if mine.size and past.first + past.used.shape[0] <= self._state.cpu.now:
            held.restore(self._state, mine, past.used[:, known], past.first)
        self._read[mine] = True

    def speaks(self) -> BoolArray:
        """Where Foresail's own method speaks, `[row, resource]`."""
        return held.ready(self._state) & self._asked[:, None]

    def amounts(self, guide: Guide) -> Recommendation:
        """What is held and its range, `[row, resource]`."""
        return held.bounds(self._state, guide)

    def stands(self, row: int, now_s: float) -> bool:
        """Whether what an autoscaler has is left alone, as its past is not learned yet."""
        return bool(self._standing(now_s)[row])

    def spoke(self, row: int, resource: str) -> Spoke:
        """Which method speaks for a container's resource, and why."""
        column = RESOURCES.index(resource)
        known_s, needed_s = float(self._state.seen[row, column] * STEP_S), float(NEEDED_S[column])
        if not self._asked[row]:
            return Spoke(VPA, Reason.ASKED, known_s, needed_s)
        if known_s >= needed_s:
            return Spoke(OWN, Reason.HISTORY, known_s, needed_s)
        return Spoke(VPA, Reason.YOUNG if self._read[row] else Reason.UNREAD, known_s, needed_s)

    def why(self, row: int, resource: str) -> str:
        """What the method's own figure comes from."""
        state = self._state
        pace = "resized in place" if state.in_place[row] else "at most one change a day, as each is a restart"
        return f"{_METHOD.why(state.cpu if resource == CPU else state.memory, row)}; {pace}"

    def _standing(self, now_s: float) -> BoolArray:
        return self._asked & ~self._read & (now_s - self._since_s < GRACE_S)

    def _start(self, now_s: float) -> None:
        if self._began_s is None:
            self._began_s = now_s
            self._state.cpu.now = int(now_s // STEP_S)

    def _follow_one(self, watched: Watched, lanes: Mapping[Lane, int], new: BoolArray) -> None:
        """Note an autoscaler's pace and method; a new lane is held at what stands."""
        autoscaler, state = watched.autoscaler, self._state
        mine = [(lane, lanes[lane]) for lane in lanes_of(watched)]
        fresh = autoscaler is not None and any(new[row] for _, row in mine)
        standing = amounts_by_container(autoscaler.status, "uncappedTarget") if autoscaler and fresh else {}
        for lane, row in mine:
            self._asked[row] = autoscaler is None or autoscaler.method == OWN
            state.in_place[row] = autoscaler is not None and autoscaler.in_place
            state.turn[row] = crc32(watched.key.encode()) % 24
            if new[row]:
                amounts = standing.get(lane.container, {})
                state.request[row] = [amounts.get(name, np.nan) / 1000 for name in RESOURCES]

    def _ended(self) -> FloatArray:
        """The use in the step that ends now, of the busiest replica, `[row, resource]`; NaN where there is none."""
        used = np.full((self._read.size, 2), np.nan)
        for column, there, mine in (
            (0, self._count > 0, self._sum / np.maximum(self._count, 1)),
            (1, self._most > 0, self._most),
        ):
            np.fmax.at(used[:, column], self._row_of[there], mine[there])
        self._sum[:], self._count[:], self._most[:] = 0.0, 0, 0.0
        return used

    def _forget(self, step: int) -> None:
        """Begin anew: the past is to be read again. What is held stays."""
        before, rows = self._state, self._read.size
        fresh = HeldState.start(rows, step)
        fresh.request, fresh.in_place, fresh.turn = before.request, before.in_place, before.turn
        self._state, self._read = fresh, np.zeros(rows, np.bool_)


def _taken(values: NDArray[Kind], rows: IntArray, fill: float) -> NDArray[Kind]:
    """The values of these rows; -1 has `fill`."""
    made = np.full(rows.size, fill, values.dtype)
    made[rows >= 0] = values[rows[rows >= 0]]
    return made

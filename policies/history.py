"""What each track's value was, minute by minute.

A persistent structure: closed hours are shared between versions, and only the newest hour is copied on append.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from policies.arrays import indices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.arrays import BoolArray, FloatArray, IntArray

ValueArray = NDArray[np.float32]

MINUTE_S = 60
BLOCK_MINUTES = 60
BLOCK_S = MINUTE_S * BLOCK_MINUTES
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Block:
    """One hour of all tracks, `[track, minute]`, never written to once made. An unknown value is 0."""

    start_s: int  # wall time, a multiple of BLOCK_S
    value: ValueArray
    known: BoolArray

    @classmethod
    def empty(cls, start_s: int, tracks: int) -> Block:
        """An hour of which nothing is known."""
        shape = (tracks, BLOCK_MINUTES)
        return cls(start_s, np.zeros(shape, np.float32), np.zeros(shape, np.bool_))

    def written(self, track: IntArray, minute: IntArray, value: FloatArray) -> Block:
        """This hour with `value` at cells (`track`, `minute`), which count as known from now on."""
        values, known = self.value.copy(), self.known.copy()
        values[track, minute] = value
        known[track, minute] = True
        return Block(self.start_s, values, known)

    def aligned(self, source: IntArray) -> Block:
        """This hour with row `source[i]` as row i, unknown where that is -1."""
        old = indices(source >= 0)
        block = Block.empty(self.start_s, source.size)
        block.value[old] = self.value[source[old]]
        block.known[old] = self.known[source[old]]
        return block


@dataclass(frozen=True, slots=True)
class Window:
    """A gapless stretch of minutes `[track, minute]` from `start_s` on. An unknown value is 0."""

    start_s: int
    value: ValueArray
    known: BoolArray


@dataclass(frozen=True, slots=True)
class Backfill:
    """Values read from the source for the past, `[track, sample]`, at `start_s`, `start_s + step_s`, ..."""

    start_s: float
    step_s: float
    value: ValueArray
    known: BoolArray


@dataclass(frozen=True, slots=True)
class History:
    """Minutes of `tracks` tracks in hours sorted by time, of which the last is the open one.

    Make one with `empty` or `of_blocks`. Every method returns a new version and leaves this one as it is.
    """

    tracks: int
    hours: tuple[Block, ...] = ()

    @classmethod
    def empty(cls, tracks: int) -> History:
        """No reading yet."""
        return cls(tracks)

    @classmethod
    def of_blocks(cls, tracks: int, blocks: Mapping[int, Block]) -> History:
        """The history that `blocks`, as given by `.blocks`, was taken from. ValueError if a block does not fit."""
        for start_s, block in blocks.items():
            if block.value.shape != (tracks, BLOCK_MINUTES) or block.start_s != start_s or start_s % BLOCK_S:
                raise ValueError(
                    f"block {start_s}: shape {block.value.shape} from {block.start_s} s "
                    f"is not an hour of {tracks} tracks that starts then"
                )
        return cls(tracks, tuple(blocks[start_s] for start_s in sorted(blocks)))

    @property
    def blocks(self) -> dict[int, Block]:
        """Hours by their start, oldest first. An hour that did not change is the same object as before."""
        return {block.start_s: block for block in self.hours}

    def append(self, now_s: float, value: FloatArray, known: BoolArray, age_s: FloatArray) -> History:
        """Add one reading per track, `[track]`, each in the minute in which it was measured.

        Only the open hour and the one before it take readings: older ones, and all of them when the clock
        stands before the open hour, are ignored. The last reading of a minute stands.
        """
        opened = self._opened(now_s)
        if opened is None:
            return self
        minute = np.floor_divide(now_s - np.maximum(age_s, 0.0), MINUTE_S)
        track = indices(known & np.isfinite(value) & np.isfinite(minute))
        minute, value = minute[track], np.clip(value[track], -LARGEST, LARGEST)
        hours = opened.hours[:-2] + tuple(_placed(block, track, minute, value) for block in opened.hours[-2:])
        return replace(opened, hours=hours)

    def kept(self, seconds: float, now_s: float) -> History:
        """Without hours that ended more than `seconds` ago, nor any that a clock far ahead left in the future."""
        hours = tuple(
            block
            for block in self.hours
            if block.start_s + BLOCK_S > now_s - seconds and block.start_s <= now_s + BLOCK_S
        )
        return self if len(hours) == len(self.hours) else replace(self, hours=hours)

    def aligned(self, source: IntArray) -> History:
        """Track i takes the past of old track `source[i]`; -1 stands for a track without a past."""
        if np.array_equal(source, np.arange(self.tracks)):
            return self
        return History(source.size, tuple(block.aligned(source) for block in self.hours))

    def window(self, seconds: float, until_s: float, rows: IntArray | None = None) -> Window:
        """The last `seconds`, rounded up to minutes, that end with the minute of `until_s`, of `rows` or all."""
        minutes = int(np.ceil(seconds / MINUTE_S))
        first = int(until_s // MINUTE_S) + 1 - minutes
        shape = (self.tracks if rows is None else rows.size, minutes)
        value, known = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        for block in self.hours:
            at = block.start_s // MINUTE_S - first
            into = slice(max(at, 0), max(min(at + BLOCK_MINUTES, minutes), 0))
            of = slice(into.start - at, into.stop - at)
            if into.start < into.stop:
                value[:, into] = block.value[:, of] if rows is None else block.value[rows, of]
                known[:, into] = block.known[:, of] if rows is None else block.known[rows, of]
        return Window(first * MINUTE_S, value, known)

    def filled_with(self, backfill: Backfill) -> History:
        """Fill minutes that are not known yet, and those alone.

        A minute takes its last sample. Between samples that are further apart it takes the next one, because
        a value over a range describes the time before it. ValueError if the rows are not this history's tracks.
        """
        if backfill.value.shape[0] != self.tracks:
            raise ValueError(f"backfill has {backfill.value.shape[0]} rows, the history {self.tracks} tracks")
        blocks = self.blocks
        for start_s in _hours_of(backfill):
            old = blocks.get(start_s) or Block.empty(start_s, self.tracks)
            track, minute, value = _missing_cells(old, backfill)
            if track.size:
                blocks[start_s] = old.written(track, minute, value)
        return History.of_blocks(self.tracks, blocks)

    def _opened(self, now_s: float) -> History | None:
        """With the hour of `now_s` as the open one; None when a later hour is open already."""
        start_s = int(now_s // BLOCK_S) * BLOCK_S
        newest_s = self.hours[-1].start_s if self.hours else start_s - 1
        if start_s < newest_s:
            return None
        if start_s == newest_s:
            return self
        return replace(self, hours=(*self.hours, Block.empty(start_s, self.tracks)))


def _placed(block: Block, track: IntArray, minute: FloatArray, value: FloatArray) -> Block:
    """`block` with the readings whose `minute` (since 1970) it covers."""
    within = minute - block.start_s // MINUTE_S
    here = indices((within >= 0) & (within < BLOCK_MINUTES))
    return block.written(track[here], within[here].astype(np.int64), value[here]) if here.size else block


def _hours_of(backfill: Backfill) -> Iterator[int]:
    samples = backfill.value.shape[1]
    if not samples:
        return
    last_s = backfill.start_s + (samples - 1) * backfill.step_s
    first_s = backfill.start_s - backfill.step_s
    yield from range(int(first_s // BLOCK_S) * BLOCK_S, int(last_s // BLOCK_S) * BLOCK_S + 1, BLOCK_S)


def _missing_cells(block: Block, backfill: Backfill) -> tuple[IntArray, IntArray, FloatArray]:
    """Cells (track, minute, value) of `block` that are unknown and that `backfill` knows."""
    starts_s = block.start_s + np.arange(BLOCK_MINUTES) * MINUTE_S
    before_end = np.ceil((starts_s + MINUTE_S - backfill.start_s) / backfill.step_s) - 1
    in_minute = backfill.start_s + before_end * backfill.step_s >= starts_s
    sample = np.where(in_minute, before_end, before_end + 1).astype(np.int64)
    minute = indices((sample >= 0) & (sample < backfill.value.shape[1]))
    value = backfill.value[:, sample[minute]]
    new = backfill.known[:, sample[minute]] & np.isfinite(value) & ~block.known[:, minute]
    track, column = np.nonzero(new)
    return track, minute[column], value[track, column].astype(np.float64)

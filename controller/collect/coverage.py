"""How many scrape targets each series rests on, remembered, to notice when some are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, integers
from policies.model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import SignalQuery, TargetRef
    from policies.arrays import BoolArray, IntArray

REMEMBERED_S = 86_400.0  # after a day below it, a smaller number of scrape targets stands
FOLLOWS_S = 600.0  # scrapes follow their pods within this: twice the five minutes that Prometheus looks back

Asked = tuple["SignalQuery", tuple[str, ...], "TargetRef"]
"""What tells one track from another across edits: its query, its key, and the object whose pods explain a fall."""


class Coverage:
    """The number of scrape targets that each track's series rested on, with the pods there were beside them.

    Scrape targets may be the workload's own pods or those of a gateway before it. So their number is compared with
    the one remembered, less the share by which the workload's pods became fewer: its ready pods or, for pods that
    were scraped before they were ready, those listed. A larger number is forgotten on that evidence, or after a day.
    Arrays are `[track]`; those of pods `[2, track]`: ready ones, and listed ones.
    """

    def __init__(self) -> None:
        """Nothing is asked, and nothing known."""
        self._asked: tuple[Asked, ...] = ()
        self._count = integers(0)  # UNKNOWN where never seen
        self._seen_at_s = floats(0)
        self._pods = np.zeros((2, 0), np.int64)  # that go with the count
        self._most = np.zeros((2, 2, 0), np.int64)  # largest numbers of pods in the window under way and the last one
        self._turn_s = -np.inf  # when the window under way began

    def follow(self, asked: Sequence[Asked]) -> None:
        """Take these tracks from now on; what is not asked any more is forgotten."""
        row = {each: number for number, each in enumerate(self._asked)}
        old = np.array([row.get(each, -1) for each in asked], np.int64)
        kept = old >= 0
        count, seen_at_s = integers(len(asked), UNKNOWN), floats(len(asked))
        pods, most = np.zeros((2, len(asked)), np.int64), np.zeros((2, 2, len(asked)), np.int64)
        count[kept], seen_at_s[kept] = self._count[old[kept]], self._seen_at_s[old[kept]]
        pods[:, kept], most[:, :, kept] = self._pods[:, old[kept]], self._most[:, :, old[kept]]
        self._asked, self._count, self._seen_at_s, self._pods, self._most = tuple(asked), count, seen_at_s, pods, most

    def recall(self, count: IntArray, pods: IntArray, at_s: float) -> None:
        """Take what `expected` said before a restart, with the pods of then, where nothing is known since.

        Without any pod it would not be known what to compare the number with, so it is not taken.
        """
        rows = (self._count == UNKNOWN) & (count != UNKNOWN) & (pods[1] > 0)
        self._count[rows], self._seen_at_s[rows] = count[rows], at_s
        self._pods[:, rows] = pods[:, rows]
        self._most[0][:, rows] = np.maximum(self._most[0][:, rows], pods[:, rows])

    def lacking(self, targets: IntArray, pods: IntArray, now_s: float) -> BoolArray:
        """Whether scrape targets are gone that fewer pods do not explain; no where `targets` is UNKNOWN."""
        lately = self._lately(pods, now_s)
        self._pods = np.maximum(self._pods, lately)
        told = targets != UNKNOWN
        short = told & (targets < self._expected(pods))
        stands = short & (now_s - self._seen_at_s > REMEMBERED_S)
        fewer = ~short & (pods[0] > 0) & (self._pods > lately).any(axis=0)
        taken = told & ((targets >= self._count) | stands | fewer)
        self._count[taken], self._seen_at_s[taken] = targets[taken], now_s
        settled = taken & (stands | fewer)
        self._pods[:, settled] = lately[:, settled]
        lacking: BoolArray = short & ~stands
        return lacking

    def expected(self, pods: IntArray) -> IntArray:
        """The number of scrape targets below which some are gone, beside these pods; UNKNOWN where not known."""
        return np.where(self._count == UNKNOWN, UNKNOWN, self._expected(pods))

    def _expected(self, pods: IntArray) -> IntArray:
        """The smaller of what ready and listed pods leave to be expected; without any pod, all that there were."""
        before = np.maximum(np.maximum(self._pods, pods), 1)
        share = np.where(pods > 0, -(-self._count * pods // before), self._count)
        expected: IntArray = share.min(axis=0)
        return expected

    def _lately(self, pods: IntArray, now_s: float) -> IntArray:
        """The largest numbers of pods of the last one to two windows."""
        if not 0 <= now_s - self._turn_s <= FOLLOWS_S:
            self._turn_s = now_s
            self._most = np.stack([pods, self._most[0]])
        self._most[0] = np.maximum(self._most[0], pods)
        lately: IntArray = self._most.max(axis=0)
        return lately

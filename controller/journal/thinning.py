"""Which snapshots the journal keeps: every one of late, and fewer of older times.

Ticks are decided again from the last snapshot before them. So the time between two snapshots is what must be decided
again at most to explain a past moment, or before a comparison begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL_S = 3 * 3600.0  # every snapshot is kept for so long,
HOURLY_S = 24 * 3600.0  # the first of each hour for so long,
HOUR_S, QUARTER_S = 3600.0, 6 * 3600.0  # and then the first of each quarter of a day


def thinned(kept: Sequence[float], cutoff_s: float, now_s: float) -> list[float]:
    """Of the snapshots at `kept`, ascending, those that need not be kept any longer, oldest first.

    Of those until `cutoff_s` only the newest is needed, and of each hour or quarter of a day the first. It is the same
    one whenever it is asked: the first of a quarter was the first of its hour. The newest of all always stays.
    """
    first_s = max((at_s for at_s in kept if at_s <= cutoff_s), default=cutoff_s)
    gone, last = [at_s for at_s in kept if at_s < first_s], -1
    for at_s in kept[len(gone) :]:
        age_s = now_s - at_s
        if age_s <= ALL_S:
            break
        span = int(at_s // (HOUR_S if age_s <= HOURLY_S else QUARTER_S))
        if span == last and at_s != kept[-1]:
            gone.append(at_s)
        last = span
    return gone

"""One workload's ticks out of a journal: what is kept of each, how far apart they are read, and when time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.errors import Unavailable
from controller.journal import Journal
from controller.whatif import reading
from controller.whatif.reading import APART_S, _affordable, _thinned, read
from policies.model import UNKNOWN
from tests.controller.recorded import WEB, Left, journal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BEGIN_S, END_S = 1_700_000_000.0, 1_700_100_000.0


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return journal_of(tmp_path_factory.mktemp("journal") / "foresail.db")


@pytest.fixture
async def journal(left: Left) -> AsyncIterator[Journal]:
    opened = await Journal.reader(left.url)
    yield opened
    await opened.close()


async def test_load_replicas_and_holes_are_what_the_daemon_saw(journal: Journal) -> None:
    found = await read(journal, WEB, (BEGIN_S, END_S), 60.0)
    assert (found.whole, found.every_s) == (True, 30.0)
    assert (np.diff(found.at_s) > 0).all()
    # A replica serves 8 in time: 30 are 3.75 of them, and the flash crowd of 180 is 22.5; 300 s on the source is down.
    assert found.demand[0] == pytest.approx(3.75)
    assert np.nanmax(found.demand) == pytest.approx(22.5)
    hole = (found.at_s >= BEGIN_S + 300) & (found.at_s < BEGIN_S + 375)
    assert np.isnan(found.demand[hole]).all()
    assert hole.any()
    assert found.happened.wanted.max() > 20
    assert (found.happened.ready <= found.happened.wanted).any()
    assert found.happened.censored.any()  # two replicas met the flash crowd


async def test_of_a_workload_that_came_later_the_time_before_is_not_known(journal: Journal) -> None:
    with pytest.raises(Unavailable, match="nothing is recorded of shop/gone since 2023-11-14T22:13:20Z"):
        await read(journal, "shop/gone", (BEGIN_S, END_S), 60.0)


async def test_without_time_the_newest_ticks_are_read_and_that_is_told(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(reading, "_AT_ONCE", 5)
    found = await read(journal, WEB, (BEGIN_S, END_S), 10.0, lambda: float(next(clock)))
    assert not found.whole
    times = await journal.tick_times(since_s=BEGIN_S)
    assert found.at_s[-1] == times[-1]
    assert found.at_s.size == 5
    assert UNKNOWN not in found.happened.wanted


def test_ticks_are_read_as_far_apart_as_there_is_time_for() -> None:
    times = [15.0 * tick for tick in range(40)]
    assert _thinned(times, 30.0) == [15.0 + 30.0 * step for step in range(20)]
    # Twenty ticks 30 s apart, ten a minute apart, five 2 min apart, two 5 min apart; one takes a second.
    for left_s, apart_s in ((20.0, 30.0), (19.0, 60.0), (9.0, 120.0), (4.0, 300.0), (0.0, APART_S[-1])):
        assert _affordable(times, left_s, 1.0) == apart_s

"""Virtual time."""

import asyncio

import pytest

from simulations.clock import VirtualClock


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    clock, woken = VirtualClock(100.0), list[tuple[str, float]]()

    async def sleeper(name: str, *naps_s: float) -> None:
        for nap_s in naps_s:
            await clock.sleep(nap_s)
            woken.append((name, clock.now_s()))

    await asyncio.gather(sleeper("a", 10.0, 10.0), sleeper("b", 15.0), sleeper("c", 5.0, 30.0))
    assert woken == [("c", 105.0), ("a", 110.0), ("b", 115.0), ("a", 120.0), ("c", 135.0)]
    assert clock.elapsed_s() == 35.0


async def test_a_cancelled_sleeper_holds_nobody_up() -> None:
    clock = VirtualClock()
    first = asyncio.create_task(clock.sleep(5.0))
    second = asyncio.create_task(clock.sleep(3.0))
    await second
    first.cancel()
    await clock.sleep(60.0)
    assert clock.now_s() == 63.0


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back by 1"):
        VirtualClock().advance(-1.0)

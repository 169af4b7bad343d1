"""How a process that serves is ended: SIGTERM or Ctrl-C once, and a second signal ends it at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable


async def until_told(serve: Callable[[asyncio.Event], Awaitable[None]]) -> bool:
    """Serve until a signal sets the event; True when Ctrl-C did."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    ended_by: list[int] = []

    def end(number: int) -> None:
        ended_by.append(number)
        stop.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    await serve(stop)
    return ended_by == [signal.SIGINT]

"""`foresail demo`: the daemon on simulated model servers, with a live table."""

import asyncio
from typing import Annotated

import typer

from policies.quantities import parse_duration_s

_SLOWEST, _FASTEST = 1.0, 100.0  # beyond, samples would be too old for the daemon before they are read


def demo(
    for_: Annotated[
        str | None,
        typer.Option("--for", help="How long, such as 2m (a plain number: seconds). Until Ctrl-C if absent."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same load.")] = 7,
    speed: Annotated[
        float, typer.Option(min=_SLOWEST, max=_FASTEST, help="Simulated seconds in one real second.")
    ] = 60.0,
    plain: Annotated[bool, typer.Option(help="One line per change instead of a table; as without a terminal.")] = False,
) -> None:
    """See Foresail scale simulated model servers on this machine: real Prometheus, real daemon, nothing to prepare."""
    for_s = _duration_s(for_)
    from rich.console import Console

    from controller.demo.run import Play, run

    console = Console()
    play = Play(for_s, seed, speed, plain or not console.is_terminal)
    asyncio.run(run(play, console))


def _duration_s(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        seconds = parse_duration_s(f"{given}s" if given.replace(".", "", 1).isdigit() else given)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 90s or 2m", param_hint="--for") from error
    if seconds <= 0:
        raise typer.BadParameter(f"must be above 0s, not {given!r}", param_hint="--for")
    return seconds

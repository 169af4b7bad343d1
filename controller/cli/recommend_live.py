"""`foresail recommend resources` on a running cluster and its Prometheus: what to request, and what that saves."""

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.output import console
from controller.cli.reading import patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.records import PricesSeen
    from controller.settings import Loaded
    from controller.sizing.gather import Progress, Sized

PAUSE_S, MAX_QUERIES, DAYS = 0.05, 2000, 8


@dataclass(frozen=True, slots=True)
class Live:
    """What the options say of a running cluster."""

    namespace: str | None = None
    days: int = DAYS
    cluster: bool = True
    max_queries: int = MAX_QUERIES
    query_pause_s: float = PAUSE_S
    query_timeout_s: float | None = None
    prices: Path | None = None
    currency: str = "USD"
    method: str = "foresail"
    overrun_ratio: float = 0.01


def recommended(live: Live, settings: "Loaded") -> "Sized":
    """Read, size and plan, with progress on stderr. Raises ForesailError."""
    with _progress() as told:
        return asyncio.run(_recommended(live, settings, told))


async def _recommended(live: Live, settings: "Loaded", told: "Progress") -> "Sized":
    from controller.adapters.prometheus.metered import Budget
    from controller.audit.gather import ClusterAccess
    from controller.sizing.gather import Wanted, recommend
    from policies.resources.methods import Aims

    chosen = settings.settings
    access = patient(settings, live.query_timeout_s)
    wanted = Wanted(
        end_s=time.time(),
        days=live.days,
        budget=Budget(live.max_queries, live.query_pause_s),
        cluster=ClusterAccess(live.cluster, chosen.kubeconfig, chosen.context, live.namespace),
        method=live.method,
        aims=Aims.once(live.overrun_ratio),
        prices=await _prices(live),
        currency=live.currency,
    )
    return await recommend(access, wanted, told)


async def _prices(live: Live) -> "tuple[PricesSeen, ...]":
    from controller.adapters.price_files import PriceFile

    return (await PriceFile(live.prices).prices(at_s=time.time()),) if live.prices else ()


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar on stderr, where that is a terminal."""
    from controller.sizing.gather import Progress

    shown = console(stderr=True)
    if not shown.is_terminal:
        yield Progress(lambda _: None, lambda _: None, lambda _: None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=shown, transient=True) as bar:
        task = bar.add_task("beginning", total=None)
        yield Progress(
            lambda words: bar.update(task, description=words),
            lambda total: bar.update(task, total=total),
            lambda count: bar.advance(task, count),
        )

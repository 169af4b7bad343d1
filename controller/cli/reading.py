"""How commands read the past from Prometheus: with longer waits than a tick's, and with progress on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.cli.output import console
from controller.settings import DEFAULT

if TYPE_CHECKING:
    from controller.clients.http import HttpAccess
    from controller.settings import Loaded

QUERY_S = 30.0  # a day of a fleet takes longer than a tick's query


def patient(settings: "Loaded", timeout_s: float | None = None) -> "HttpAccess":
    """Access to Prometheus that waits for so long; without, as the settings say, or 30 s where they say nothing."""
    from controller.clients.access import prometheus_access

    access = prometheus_access(settings.settings)
    if timeout_s is None and settings.origins["prometheus_timeout"] != DEFAULT:
        return access
    return replace(access, timeout_s=timeout_s or QUERY_S)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr, where that is a terminal."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield lambda _: None
        return
    with shown.status("beginning") as status:
        yield status.update

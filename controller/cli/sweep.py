"""`foresail sweep`: one scenario in many variants, on all cores or on a Dask cluster."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INVALID, RUNTIME
from controller.cli.flags import with_settings
from controller.cli.output import note
from controller.cli.sweep_output import Form, written
from controller.cli.variants import JournalOption, Outside, load_variants
from controller.settings import catalogue

if TYPE_CHECKING:
    from simulations.sweep.spread import Cluster, Cores
    from simulations.sweep.sweep import Progress
    from simulations.whatif.answer import Answer
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs

CONNECT_S = 10.0


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def sweep(
    scenario: Annotated[str, typer.Argument(help="Scenario file (YAML), or the name of a ready one.")],
    vary: Annotated[
        list[str] | None,
        typer.Option(help="A place and its values, as in 'policies[0].objective.late=0.1%,1%,5%'; repeatable."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler that runs it instead, as in tcp://10.0.0.1:8786.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what is done; the same command goes on from it.", file_okay=False),
    ] = None,
    journal: JournalOption = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the rows.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Answer a what-if in every combination of the values given: a row for each variant and policy.

    The rows are the same to the last bit on any number of processes and on a cluster.
    """
    from simulations.sweep.grid import sweep_of
    from simulations.sweep.vary import Vary, VaryError

    if cluster is not None and jobs is not None:
        raise typer.BadParameter("goes with this machine; a cluster has as many workers as it has", param_hint="--jobs")
    try:
        places = [Vary.parse(text) for text in vary or ()]
        variants = load_variants(scenario, places, Outside(journal, flags))
    except VaryError as error:
        raise typer.BadParameter(str(error), param_hint="--vary") from error
    given = [(each.scenario, each.inputs) for each in variants]
    answers = answered_over(given, jobs=jobs, cluster=cluster, out=out, stopped=_going_on(out))
    written(sweep_of([each.variant for each in variants], answers, places), output)


def answered_over(
    variants: "list[tuple[Scenario, Inputs]]",
    *,
    jobs: int | None,
    cluster: str | None = None,
    out: Path | None = None,
    stopped: str = "",
) -> "list[Answer]":
    """Answer every variant, with progress on stderr. Where that fails, ends the command with a message.

    `stopped` is what the message goes on with where the same command would go on from what is done.
    """
    from simulations.sweep.pieces import OtherForesail
    from simulations.sweep.spread import WorkersLost
    from simulations.sweep.store import Store
    from simulations.sweep.sweep import answers_of
    from simulations.whatif.answer import Runs
    from simulations.whatif.demand import WhatIfError

    store = None if out is None else Store(out, Runs)
    try:
        with _over(jobs, cluster) as over, _progress() as told:
            return answers_of(variants, over, store=store, told=told)
    except WhatIfError as error:
        note(f"error: {error}")
        raise typer.Exit(INVALID) from error
    except (OtherForesail, WorkersLost, OSError) as error:
        note(f"error: {error}{stopped}")
        raise typer.Exit(RUNTIME) from error
    except KeyboardInterrupt:
        note(f"stopped{stopped}")
        raise


def _going_on(out: Path | None) -> str:
    if out is None:
        return "; with --out DIR, what is done is kept"
    return f"; what is done is kept in {out}, and the same command goes on from it"


@contextmanager
def _over(jobs: int | None, cluster: str | None) -> Iterator["Cores | Cluster"]:
    """Processes of this machine, or the workers of a cluster whose client is open meanwhile. Raises OSError."""
    from simulations.sweep.spread import Cluster, Cores

    if cluster is None:
        yield Cores(jobs)
        return
    if not re.fullmatch(r"(tcp|tls)://\S+:\d+", cluster):
        raise typer.BadParameter(
            f"must be the address of a Dask scheduler, as in tcp://10.0.0.1:8786, not {cluster!r}",
            param_hint="--cluster",
        )
    import logging
    from concurrent.futures import CancelledError

    from distributed import Client
    from distributed.scheduler import KilledWorker

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is raised, and told in one line
    with Client(cluster, timeout=CONNECT_S, set_as_default=False) as client:
        try:
            yield Cluster(client)
        except (KilledWorker, CancelledError) as error:
            raise OSError(f"the cluster at {cluster} lost workers, or its scheduler: {error}") from error


@contextmanager
def _progress() -> Iterator[Callable[["Progress"], None]]:
    """A bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("simulating", total=None)

        def told(progress: "Progress") -> None:
            words = f"simulating ({progress.stored} were done before)" if progress.stored else "simulating"
            shown.update(task, description=words, total=progress.pieces, completed=progress.done)

        yield told

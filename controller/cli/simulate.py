"""`foresail simulate`: what policies would cost and miss under a scenario, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.flags import with_settings
from controller.cli.output import console, note, table_of
from controller.cli.scenarios import found, inputs_of, past, ready_names, validated
from controller.cli.simulate_output import written
from controller.cli.sweep_output import Form
from controller.settings import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulations.whatif.calibration import Observed

_MONTH_DAYS, _BILL_STEP_S = 30, 300


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def simulate(
    scenario: Annotated[
        str | None, typer.Argument(help="Scenario file (YAML), or the name of a ready one.", show_default=False)
    ] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the answer.")] = Form.TABLE,
    runs: Annotated[int | None, typer.Option(min=1, help="Runs, instead of the scenario's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the scenario's.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    journal: Annotated[
        str | None, typer.Option(help="Journal with the loads that the scenario names: its file or address.")
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            help="Last month, to tell how far the incumbent is from it: a CSV (timestamp, and cost, replicas or late),"
            " or opencost:NAMESPACE or opencost:NAMESPACE/WORKLOAD, its cost by OpenCost's metrics on the Prometheus.",
            metavar="LAST_MONTH",
        ),
    ] = None,
    opencost_job: Annotated[str, typer.Option(help="Job under which Prometheus scrapes OpenCost.")] = "opencost",
    list_: Annotated[bool, typer.Option("--list", help="Tell the ready scenarios, and nothing else.")] = False,
    **flags: object,
) -> None:
    """Answer a what-if: cost, lateness, availability and churn of each policy beside the incumbent's.

    Every figure has the interval in which its mean lies in 95 of 100 such simulations.
    """
    if list_:
        _list()
        return
    if scenario is None:
        raise typer.BadParameter("give a file or a ready scenario; --list tells them", param_hint="SCENARIO")
    from controller.cli.sweep import answered_over

    document, source, folder = found(scenario)
    given = {name: value for name, value in (("runs", runs), ("seed", seed)) if value is not None}
    asked = validated({**document, **given}, source)
    inputs = inputs_of(asked, folder, journal, flags)
    observed = None if calibrate is None else _observed(calibrate, opencost_job, flags)
    for name, load in inputs.loads.items():
        if observed is not None and observed.misses(load):
            note(f"note: the load of {name} is of another time than {calibrate}; compare the same month")
    (answer,) = answered_over([(asked, inputs)], jobs=jobs)
    written(asked, inputs, answer, output, observed)


def _observed(calibrate: str, job: str, flags: "Mapping[str, object]") -> "Observed":
    """Last month, of a CSV or as OpenCost tells it. Raises LoadFileError, Unavailable and Rejected."""
    from simulations.whatif.calibration import observed_bill, read_observed

    kind, _, named = calibrate.partition(":")
    if kind != "opencost":
        return read_observed(Path(calibrate))
    from controller.adapters.prometheus.prices import bill_query

    namespace, _, workload = named.partition("/")
    if not namespace:
        raise typer.BadParameter(
            "needs a namespace, as in opencost:shop or opencost:shop/web", param_hint="--calibrate"
        )
    query = bill_query(namespace, workload or None, job=job)
    return observed_bill(past({f"the bill of {named}": (query, _MONTH_DAYS)}, _BILL_STEP_S, flags).popitem()[1])


def _list() -> None:
    described = [(name, validated(found(name).document, name).description) for name in ready_names()]
    console().print(table_of({"SCENARIO": "left", "WHAT IT ASKS": "left"}, described))

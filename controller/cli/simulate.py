"""`foresail simulate`: what policies would cost and miss under a scenario, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.flags import with_settings
from controller.cli.output import console, note, table_of
from controller.cli.scenarios import found, inputs_of, ready_names, validated
from controller.cli.simulate_output import written
from controller.cli.sweep_output import Form
from controller.settings import catalogue


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
        Path | None,
        typer.Option(
            help="CSV of last month (timestamp, and cost, replicas or late), to tell how far the incumbent is from it.",
            metavar="LAST_MONTH",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
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
    from simulations.whatif.calibration import read_observed

    document, source, folder = found(scenario)
    given = {name: value for name, value in (("runs", runs), ("seed", seed)) if value is not None}
    asked = validated({**document, **given}, source)
    inputs = inputs_of(asked, folder, journal, flags)
    observed = None if calibrate is None else read_observed(calibrate)
    for name, load in inputs.loads.items():
        if observed is not None and observed.misses(load):
            note(f"note: the load of {name} is of another time than {calibrate}; compare the same month")
    (answer,) = answered_over([(asked, inputs)], jobs=jobs)
    written(asked, inputs, answer, output, observed)


def _list() -> None:
    described = [(name, validated(found(name).document, name).description) for name in ready_names()]
    console().print(table_of({"SCENARIO": "left", "WHAT IT ASKS": "left"}, described))

"""The variants of a scenario that a sweep runs, each validated and with what it reads."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from controller.cli.scenarios import ended, found, inputs_of

if TYPE_CHECKING:
    from pathlib import Path

    from simulations.sweep.vary import Variant, Vary
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs


JournalOption = Annotated[
    str | None, typer.Option(help="Journal with the loads that the scenario names: its file or address.")
]


class Outside(NamedTuple):
    """Where recorded loads are read: the journal, and the settings of Prometheus as flags."""

    journal: str | None
    flags: Mapping[str, object]


class Loaded(NamedTuple):
    """One variant, the scenario it makes, and the records that it names."""

    variant: "Variant"
    scenario: "Scenario"
    inputs: "Inputs"


def load_variants(named: str, places: "Sequence[Vary]", outside: Outside) -> list[Loaded]:
    """Read a scenario, by file or name, and make its variants.

    Ends the command with every problem of every variant, each once. Raises VaryError, LoadFileError, Unavailable and
    Rejected.
    """
    from simulations.sweep.vary import variants_of

    document, source, folder = found(named)
    variants = variants_of(document, places)
    scenarios = _validated(variants, source)
    return list(map(Loaded, variants, scenarios, _inputs(scenarios, folder, outside)))


def _validated(variants: "Sequence[Variant]", source: str) -> "list[Scenario]":
    from policies.problems import PolicyError, Problem
    from simulations.whatif.document import scenario_from

    scenarios, problems = [], dict[Problem, None]()
    for variant in variants:
        try:
            scenarios.append(scenario_from(variant.document, source=source))
        except PolicyError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        ended(problems)
    return scenarios


def _inputs(scenarios: "Sequence[Scenario]", folder: "Path", outside: Outside) -> "list[Inputs]":
    """What each scenario reads; scenarios that read the same share it."""
    read: dict[str, Inputs] = {}
    inputs = []
    for scenario in scenarios:
        workloads = [(each.name, each.load, each.replica) for each in scenario.workloads]
        same = repr((workloads, scenario.faults.spot, scenario.step))
        if same not in read:
            read[same] = inputs_of(scenario, folder, outside.journal, outside.flags)
        inputs.append(read[same])
    return inputs

"""The variants of a scenario file that a sweep runs, each validated and with what it reads."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from controller.cli.exits import INVALID, RUNTIME
from controller.cli.output import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulations.sweep.vary import Document, Variant, Vary
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs


class Loaded(NamedTuple):
    """One variant, the scenario it makes, and the records that it names."""

    variant: "Variant"
    scenario: "Scenario"
    inputs: "Inputs"


def load_variants(path: Path, places: "Sequence[Vary]") -> list[Loaded]:
    """Read a scenario file and make its variants. Ends the command with every problem of every variant, each once.

    Raises VaryError.
    """
    from simulations.load_file import LoadFileError
    from simulations.sweep.vary import variants_of

    variants = variants_of(read_document(path), places)
    scenarios = _validated(variants, path)
    try:
        return [
            Loaded(variant, scenario, inputs)
            for variant, scenario, inputs in zip(variants, scenarios, _inputs(scenarios, path.parent), strict=True)
        ]
    except LoadFileError as error:
        note(f"error: {error}")
        raise typer.Exit(RUNTIME) from error


def read_document(path: Path) -> "Document":
    """One YAML or JSON mapping. Ends the command where the file holds something else."""
    import json

    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        note(f"error: {path}: cannot be read: {error}")
        raise typer.Exit(INVALID) from error
    if not isinstance(document, dict):
        note(f"error: {path}: must be one mapping")
        raise typer.Exit(INVALID)
    return document


def _validated(variants: "Sequence[Variant]", path: Path) -> "list[Scenario]":
    from policies.problems import PolicyError
    from simulations.whatif.document import scenario_from

    scenarios, problems = [], dict[str, None]()
    for variant in variants:
        try:
            scenarios.append(scenario_from(variant.document, source=str(path)))
        except PolicyError as error:
            problems.update(dict.fromkeys(map(str, error.problems)))
    if problems:
        for problem in problems:
            note(f"error: {problem}")
        raise typer.Exit(INVALID)
    return scenarios


def _inputs(scenarios: "Sequence[Scenario]", folder: Path) -> "list[Inputs]":
    """What each scenario reads; scenarios that name the same files share it. Raises LoadFileError."""
    from simulations.whatif.inputs import Inputs, read_inputs

    read: dict[str, Inputs] = {}
    found = []
    for scenario in scenarios:
        named = repr([*((each.name, each.load) for each in scenario.workloads), scenario.faults.spot])
        if named not in read:
            read[named] = read_inputs(scenario, folder)
        found.append(read[named])
    return found

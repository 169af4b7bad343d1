"""Scenarios of a what-if for the command line: from a file or by a ready one's name, with the loads they speak of."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import typer

from controller.cli.exits import INVALID
from controller.cli.flags import loaded
from controller.cli.output import note
from controller.settings import DEFAULT

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from policies.problems import Problem
    from simulations.load_file import Load
    from simulations.recorded import RecordedLoad
    from simulations.whatif.document import Scenario, Workload
    from simulations.whatif.inputs import Inputs

DAY_S = 86_400
_ANSWER_S = 60.0  # a chunk of history takes longer than a tick's query


class Found(NamedTuple):
    """A document that is one mapping, where it came from, and the folder from which its paths are meant."""

    document: dict[str, object]
    source: str
    folder: Path


def ready_names() -> list[str]:
    """The names of the ready scenarios, sorted."""
    return sorted(each.name.removesuffix(".yaml") for each in _ready().iterdir() if each.name.endswith(".yaml"))


def found(named: str) -> Found:
    """The document of a file, or of a ready scenario. Ends the command with every problem of its text."""
    from controller.policy_text import file_text, yaml_documents
    from policies.problems import PolicyError, nearest

    path = Path(named)
    try:
        if path.is_file() or path.suffix in (".yaml", ".yml", ".json"):
            text, source, folder = file_text(path), named, path.parent
        elif named in ready_names():
            text, source, folder = (_ready() / f"{named}.yaml").read_text(encoding="utf-8"), named, Path()
        else:
            guess = nearest(named, ready_names()) or "; `foresail simulate --list` tells them"
            raise typer.BadParameter(f"{named!r} is neither a file nor a ready scenario{guess}", param_hint="SCENARIO")
    except PolicyError as error:
        ended(error.problems)
    documents, problems = yaml_documents(text, source)
    if problems:
        ended(problems)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        note(f"error: {source}: must be one mapping")
        raise typer.Exit(INVALID)
    return Found(documents[0], source, folder)


def validated(document: Mapping[str, object], source: str) -> "Scenario":
    """The scenario of a document. Ends the command with every problem of it."""
    from policies.problems import PolicyError
    from simulations.whatif.document import scenario_from

    try:
        return scenario_from(document, source=source)
    except PolicyError as error:
        ended(error.problems)


def ended(problems: "Iterable[Problem]") -> NoReturn:
    """Tell every problem and end the command."""
    for problem in problems:
        note(f"error: {problem}")
    raise typer.Exit(INVALID)


def inputs_of(scenario: "Scenario", folder: Path, journal: str | None, flags: Mapping[str, object]) -> "Inputs":
    """Everything that a scenario names: files, loads of the journal and queries on Prometheus.

    Raises LoadFileError, Unavailable and Rejected.
    """
    from simulations.whatif.inputs import read_inputs

    return read_inputs(scenario, folder, {**_of_journal(scenario, journal), **_of_prometheus(scenario, flags)})


def _ready() -> "Traversable":
    return files("simulations") / "scenarios"


def _of_journal(scenario: "Scenario", journal: str | None) -> "dict[str, Load]":
    """Loads of workloads that the daemon recorded, in the unit of the scenario's replicas."""
    wanted = {each.name: each for each in scenario.workloads if each.load.journal is not None}
    if not wanted:
        return {}
    if journal is None:
        words = f"workload {next(iter(wanted))} takes its load from a journal: name it"
        raise typer.BadParameter(words, param_hint="--journal")
    from controller.cli.agreement import asked_of, decided_again
    from controller.errors import Rejected

    uids = tuple(dict.fromkeys(str(each.load.journal) for each in wanted.values()))
    recorded = {load.name: load for load in decided_again(asked_of(journal, uids, None, None)).loads}
    if absent := [uid for uid in uids if uid not in recorded]:
        raise Rejected(f"the journal has no load of {absent[0]}; it has {', '.join(sorted(recorded)[:5]) or 'none'}")
    return {name: _in_units(each, recorded[str(each.load.journal)]) for name, each in wanted.items()}


def _in_units(workload: "Workload", load: "RecordedLoad") -> "Load":
    """A recorded load, told in replicas at the serving limit, as load of this workload's replicas."""
    from simulations.load_file import Load
    from simulations.whatif.plans import served

    capacity, limit = served(workload.replica)
    return Load(load.at_s, load.demand * capacity * limit)


def _of_prometheus(scenario: "Scenario", flags: Mapping[str, object]) -> "dict[str, Load]":
    """Loads of workloads whose query a Prometheus answers, on the steps of the scenario."""
    wanted = {each.name: each.load.prometheus for each in scenario.workloads if each.load.prometheus is not None}
    if not wanted:
        return {}
    queries = {name: (asked.query, asked.days) for name, asked in wanted.items()}
    return past(queries, int(scenario.step), flags)


def past(queries: Mapping[str, tuple[str, int]], step_s: int, flags: Mapping[str, object]) -> "dict[str, Load]":
    """What a Prometheus answers to queries of one series, each over so many days until now, every `step_s`.

    Raises LoadFileError, Unavailable and Rejected.
    """
    from controller.adapters.history_import import HistoryQuery, import_history
    from controller.clients.access import prometheus_access
    from simulations.load_file import read_load

    settings = loaded(flags)
    access = prometheus_access(settings.settings)
    if settings.origins["prometheus_timeout"] == DEFAULT:
        access = replace(access, timeout_s=_ANSWER_S)
    now_s, loads = int(time.time()), {}
    with _scratch() as folder:
        for name, (text, days) in queries.items():
            note(f"reading {days} days of {name} from Prometheus")
            query = HistoryQuery(text, now_s - days * DAY_S, now_s, step_s)
            import_history(access, query, folder / "load.parquet")
            loads[name] = read_load(folder / "load.parquet")
    return loads


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="foresail-") as folder:
        yield Path(folder)

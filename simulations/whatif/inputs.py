"""What a scenario needs from outside: recorded loads and spot availability, read before the first run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulations.load_file import read_load
from simulations.spot_traces import every_trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulations.load_file import Load
    from simulations.whatif.document import Scenario


@dataclass(frozen=True, slots=True)
class Inputs:
    """Recorded loads by workload, and spot instances that could be had by trace."""

    loads: Mapping[str, Load] = field(default_factory=dict)
    spot: Mapping[str, Load] = field(default_factory=dict)


def read_inputs(scenario: Scenario, folder: Path, recorded: Mapping[str, Load] | None = None) -> Inputs:
    """Read the files that a scenario names, relative to its folder.

    `recorded` has the loads of workloads that a journal or a Prometheus holds. Raises LoadFileError and SpotTraceError.
    """
    loads = dict(recorded or {})
    for workload in scenario.workloads:
        if workload.load.file is not None:
            loads[workload.name] = read_load(folder / workload.load.file)
    spot = scenario.faults.spot
    record = spot and (spot.trace or spot.fitted)
    return Inputs(loads, every_trace(folder / record.file) if record else {})

"""What a scenario needs from outside: recorded loads and spot availability, read before the first run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulations.load_file import Load, LoadFileError, read_load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulations.whatif.document import Scenario


@dataclass(frozen=True, slots=True)
class Inputs:
    """Recorded loads by workload, and spot instances that could be had by trace."""

    loads: Mapping[str, Load] = field(default_factory=dict)
    spot: Mapping[str, Load] = field(default_factory=dict)


def read_inputs(scenario: Scenario, folder: Path, recorded: Mapping[str, Load] | None = None) -> Inputs:
    """Read the files that a scenario names, relative to its folder.

    `recorded` has the loads of workloads that a journal or a Prometheus holds. Raises LoadFileError.
    """
    loads = dict(recorded or {})
    for workload in scenario.workloads:
        if workload.load.file is not None:
            loads[workload.name] = read_load(folder / workload.load.file)
    spot = scenario.faults.spot
    record = spot and (spot.trace or spot.fitted)
    return Inputs(loads, read_availability(folder / record.file) if record else {})


def read_availability(path: Path) -> dict[str, Load]:
    """Instances that could be had by trace, from a parquet with `trace`, `timestamp` and `value`.

    Raises LoadFileError: no such file or column, or times of a trace that do not rise.
    """
    try:
        table = pq.read_table(path, columns=["trace", "timestamp", "value"])
    except (OSError, pa.ArrowInvalid) as error:
        raise LoadFileError(f"{path}: must be parquet with trace, timestamp and value: {error}") from error
    names = np.array(table.column("trace").to_pylist())
    at_s, value = (np.array(table.column(name).to_pylist(), np.float64) for name in ("timestamp", "value"))
    traces = {}
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        if (np.diff(at_s[rows]) <= 0).any():
            raise LoadFileError(f"{path}: column timestamp: trace {name!r} has times that do not rise; sort them")
        traces[name] = Load(at_s[rows], value[rows])
    return traces

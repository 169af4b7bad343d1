"""How much two processes, and a Dask cluster of two workers, speed a sweep of thirty days at one minute up."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from distributed import Client

from simulations.sweep.spread import Cluster, Cores
from simulations.sweep.sweep import answers_of
from simulations.sweep.vary import Vary, variants_of
from simulations.whatif.document import scenario_from
from simulations.whatif.inputs import Inputs
from tests.integration.servers.dask import DaskCluster

if TYPE_CHECKING:
    from pathlib import Path

    from simulations.whatif.document import Scenario

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

DAYS = 30
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def processor_s() -> float:
    """What this process and those that it started have had of the processors, in seconds."""
    own = psutil.Process()
    times = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def scenarios(rules: tuple[str, ...], *, runs: int, count: int) -> list[tuple[Scenario, Inputs]]:
    """One workload under these policies in some runs, in as many variants of the seed."""
    generate = {"level": 600, "daily": {"swing": 0.6}, "noise": {"sigma": 0.1, "correlation": "10m"}}
    document: dict[str, Any] = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Scenario",
        "name": "bench",
        "days": DAYS,
        "runs": runs,
        "workloads": [
            {
                "name": "chat",
                "load": {"generate": generate},
                "replica": {"capacity": 10, "startup": [{"share": 1, "time": "2m"}]},
            }
        ],
        "policies": [{"name": rule.partition(":")[0], "replicas": rule} for rule in rules],
        "capacity": {"pools": [{"name": "od", "price": 1.0}]},
    }
    vary = Vary.parse(f"seed={','.join(map(str, range(count)))}")
    inputs = Inputs()
    return [(scenario_from(each.document, source="bench"), inputs) for each in variants_of(document, [vary])]


@pytest.mark.parametrize(
    ("rules", "runs", "count"),
    [
        pytest.param(("hpa:0.70", "kpa"), 2, 256, id="plain"),
        pytest.param(("predictive",), 1, 16, id="forecasting"),  # each takes seconds: fewer of them
    ],
)
def test_two_processes_and_a_cluster_of_two_workers(
    rules: tuple[str, ...], runs: int, count: int, tmp_path: Path
) -> None:
    given = scenarios(rules, runs=runs, count=count)
    lane_steps = sum(scenario.steps for scenario, _ in given) * runs * len(rules)
    spent, found = {}, {}
    with DaskCluster(tmp_path / "dask") as dask, Client(dask.address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        for name, over in (("one process", Cores(1)), ("two", Cores(2)), ("Dask, two workers", Cluster(client))):
            answers_of(given[:4], over)  # starts processes and compiles
            began_s, began_processor_s = time.perf_counter(), processor_s()
            answers = answers_of(given, over)
            spent[name] = (time.perf_counter() - began_s, processor_s() - began_processor_s)
            found[name] = [answer.by_run.values.tobytes() for answer in answers]
    alone_s, alone_processor_s = spent["one process"]
    told = "; ".join(
        f"{name}: {wall_s:.1f} s, {lane_steps / wall_s / 1e6:.2f} million lane-steps/s, x{alone_s / wall_s:.2f}"
        f" (processor {each_s:.1f} s: x{cores * alone_processor_s / each_s:.2f} on cores of their own)"
        for (name, (wall_s, each_s)), cores in zip(spent.items(), (1, 2, 2), strict=True)
    )
    print(  # noqa: T201 - a benchmark shows its figures
        f"\n{count} scenarios of {' and '.join(rules)}, {runs} runs, {DAYS} days at one minute: {told} ({MACHINE})"
    )
    assert found["two"] == found["Dask, two workers"] == found["one process"]

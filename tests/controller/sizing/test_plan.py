"""From use and prices to plans, and what leaves the command of them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.cli.recommend_output import Form, document_of, written
from controller.sizing.gather import Sized
from controller.sizing.methods import Advice
from controller.sizing.plan import Told, planned
from controller.sizing.prices import NodeRates, Rates
from controller.sizing.usage import batches_of, needed_queries
from controller.vertical.queries import Named
from controller.vertical.usage import PODS_A_QUERY, Usage
from controller.vertical.workloads import UNSCALED, Asks, RunningContainer, RunningPod, Scaled, workloads_of
from policies.resources.model import Recommendation
from policies.resources.one_plan import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.vertical.workloads import Workload

GIB = 2**30 * 1000
WEB = Named("shop", "Deployment", "web")
RATES = Rates("USD", {"node-1": NodeRates(0.03, 0.004, 1.0)})


def container(name: str, cpu: int | None = 1000, memory: int | None = 4 * GIB, **more: object) -> RunningContainer:
    limits = more.get("limits", Asks())
    assert isinstance(limits, Asks)
    return RunningContainer(name, Asks(cpu, memory), limits)


def web(
    *containers: RunningContainer, replicas: int = 2, named: Named = WEB, scaled: Scaled = UNSCALED
) -> list[Workload]:
    pods = [RunningPod(named, f"web-{place}", "node-1", containers) for place in range(replicas)]
    return workloads_of(pods, {named: scaled})


def told(cores: Sequence[float], mib: Sequence[float]) -> Told:
    """Advice of so much for each container, the bounds half of it and twice; NaN: nothing was seen."""
    advice, usage = {}, {}
    for name, target in (("cpu", np.array(cores)), ("memory", np.array(mib) * 2.0**20)):
        advice[name] = Advice(Recommendation(target / 2, target, target * 2), ("as seen",) * target.size)
        usage[name] = Usage(np.array([0.0, 300.0]), np.vstack([target, target]))
    return Told(advice, usage)


def test_every_container_has_its_size_and_the_workload_its_money() -> None:
    [found] = planned(web(container("server"), container("sidecar", None, None)), told([0.4, 0.1], [1024, 128]), RATES)
    server, sidecar = found.containers
    assert server.asks == Asks(400, GIB)
    assert sidecar.asks == Asks(100, GIB // 8)
    assert (server.bounds.lower.cpu_milli, server.bounds.upper.cpu_milli) == (200, 800)
    # Two replicas: 1 core and 4 GiB before, 0.5 cores and 1.125 GiB after, 730 hours.
    assert found.before == pytest.approx(730 * 2 * (0.03 + 4 * 0.004))
    assert found.after == pytest.approx(730 * 2 * (0.5 * 0.03 + 1.125 * 0.004))
    assert found.saved == pytest.approx(730 * 2 * (0.5 * 0.03 + 2.875 * 0.004))


def test_what_nobody_measured_stays() -> None:
    [found] = planned(web(container("server")), told([np.nan], [1024]), RATES)
    assert found.containers[0].asks == Asks(1000, GIB)
    assert "no cpu was measured" in found.containers[0].why
    [unseen] = planned(web(container("server")), told([np.nan], [np.nan]), RATES)
    assert (unseen.measured, unseen.containers[0].asks) == (False, Asks(1000, 4 * GIB))


def test_a_size_that_feeds_the_count_stays_and_the_other_resource_is_sized() -> None:
    workloads = web(container("server"), scaled=Scaled(Signal.CPU, 20, "HPA web: cpu at 70 %"))
    [found] = planned(workloads, told([0.4], [1024]), RATES)
    assert (found.containers[0].asks, found.replicas) == (Asks(1000, GIB), 2)
    assert "more replicas" in found.finding
    [raised] = planned(workloads, told([2.0], [1024]), RATES)
    assert (raised.containers[0].asks.cpu_milli, raised.replicas) == (2000, 1)


def test_without_prices_sizes_are_planned_and_no_money_is_told() -> None:
    [found] = planned(web(container("server")), told([0.4], [1024]), Rates("USD", {}))
    assert (found.containers[0].asks.cpu_milli, found.saved) == (400, None)


def test_no_query_asks_for_too_many_pods() -> None:
    pods = [
        RunningPod(Named("shop", "Deployment", f"web-{place}"), f"{place}-{pod}", "", (container("server"),))
        for place in range(4)
        for pod in range(200)
    ]
    workloads = workloads_of(pods, {})
    sizes = [len(batch) * 200 for batch in batches_of(workloads)]
    assert sizes == [400, 400]
    assert max(sizes) <= PODS_A_QUERY
    assert needed_queries(workloads, days=8) == 2 * 2 * 8  # batches, resources and days


def sized(*containers: RunningContainer, named: Named = WEB) -> Sized:
    workloads = planned(web(*containers, named=named), told([0.4], [8192]), RATES)
    return Sized("Prometheus at http://p", workloads, "USD", 32, ("something",))


def patch(capsys: pytest.CaptureFixture[str], found: Sized) -> dict[str, object]:
    written(found, Form.PATCH)
    [line] = [each for each in capsys.readouterr().out.splitlines() if not each.startswith("#")]
    words = shlex.split(line)
    made: dict[str, object] = json.loads(words[words.index("--patch") + 1])
    return made


def test_a_patch_raises_a_limit_that_would_be_below_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    made = patch(capsys, sized(container("server", limits=Asks(2000, 4 * GIB))))
    resources = {"requests": {"cpu": "400m", "memory": "8192Mi"}, "limits": {"cpu": "2000m", "memory": "8192Mi"}}
    assert made == {"spec": {"template": {"spec": {"containers": [{"name": "server", "resources": resources}]}}}}


def test_a_patch_of_a_cron_job_is_of_its_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    made = patch(capsys, sized(container("server"), named=Named("shop", "CronJob", "report")))
    assert "jobTemplate" in str(made)


def test_what_has_no_template_is_said_in_a_comment(capsys: pytest.CaptureFixture[str]) -> None:
    written(sized(container("server"), named=Named("shop", "Pod", "alone")), Form.PATCH)
    assert all(line.startswith("#") for line in capsys.readouterr().out.splitlines())


def test_the_document_has_what_is_and_what_should_be() -> None:
    document = document_of(sized(container("server")))
    assert document["warnings"] == ["something"]
    [workload] = document["workloads"] if isinstance(document["workloads"], list) else []
    [server] = workload["containers"]
    assert server["current"] == {"cpu": "1000m", "memory": "4096Mi"}
    assert server["recommended"] == {"cpu": "400m", "memory": "8192Mi"}

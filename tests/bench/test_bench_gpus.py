"""What GPUs in decisions cost: a quota shared among 10,000 workloads, and a report on 1,000 nodes of eight GPUs."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace

import numpy as np
import pytest

from controller.adapters.kubernetes.inventory import Amounts, Inventory, StandingNode, StandingPod
from controller.adapters.prometheus.gpus import Device, GpuReadings
from controller.cost import built_in, priced_nodes
from controller.cost.gpu_findings import Known, Rules, gpu_report
from policies.fleet import fleet_of
from policies.gpu_quota import within_gpu_quota
from policies.gpu_room import GpuRoom
from policies.gpus.fleet import FleetRule
from policies.gpus.idle import IdleRule
from policies.gpus.signals import bound
from policies.pricing.facts import GIB
from policies.proposal import Proposal
from tests.builders import FREE, policy, readings, ready_pods, seen

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

LANES, NODES = 10_000, 1_000
GPU = "nvidia.com/gpu"


def tell(what: str) -> None:
    print(f"\n{what} [{platform.machine()}, {os.cpu_count()} cores]")  # noqa: T201 - its result


def test_a_quota_among_ten_thousand_workloads() -> None:
    random = np.random.default_rng(1)
    fleet = fleet_of([policy(f"w{number}") for number in range(LANES)], FREE)
    fleet = replace(fleet, budget=replace(fleet.budget, priority=random.integers(0, 3, LANES)))
    current, lanes = np.full(LANES, 3), np.arange(LANES)
    room = GpuRoom((f"shop/{GPU}",), np.array([4_000_000]), lanes, np.zeros(LANES, np.int64), np.full(LANES, 1000))
    now = seen(current.tolist(), readings([1.0] * LANES), pods=ready_pods(*current.tolist()), gpu_room=room)
    proposal = Proposal(current + random.integers(0, 6, LANES))
    began_s = time.perf_counter()
    _, shares = within_gpu_quota(proposal, fleet, now)
    took_s = time.perf_counter() - began_s
    tell(f"4,000 GPUs among {shares.asked.sum():,} replicas of {LANES:,} workloads: {1000 * took_s:.0f} ms")

    assert shares.given.sum() == 4_000
    assert took_s < 0.5


def cluster() -> tuple[Inventory, dict[Device, float]]:
    """Nodes half full of pods with one, two or four GPUs, a fifth of them idle."""
    random = np.random.default_rng(1)
    has = Amounts(192_000, 2_000 * GIB * 1000, 8_000)
    place = ("aws", "p5.48xlarge", "us-east-1", "us-east-1a", False)
    nodes = tuple(StandingNode(f"n{number}", *place, has, has, 110, ((GPU, 8_000),)) for number in range(NODES))
    pods: list[StandingPod] = []
    peaks: dict[Device, float] = {}
    for node in nodes:
        used, most = 0, int(random.integers(2, 9))
        while used + (gpus := int(random.choice([1, 2, 4]))) <= most:
            name, asks = f"{node.name}-{used}", Amounts(8_000, 64 * GIB * 1000, gpus * 1000)
            workload = f"w{random.integers(0, 300)}"
            pods.append(StandingPod("shop", name, "Deployment", workload, node.name, asks, ((GPU, gpus * 1000),)))
            for gpu in range(used, used + gpus):
                peaks[node.name, f"{node.name}-{gpu}", "", "shop", name] = float(random.random() < 0.8)
            used += gpus
    return Inventory(nodes, tuple(pods)), peaks


def test_a_report_on_a_thousand_nodes() -> None:
    inventory, peaks = cluster()
    priced, unpriced, _ = priced_nodes(inventory.nodes, [built_in()], "USD")
    told = GpuReadings(bound({"DCGM_FI_PROF_SM_ACTIVE"}), peak=peaks, mean=peaks)
    known, rules = Known(inventory, priced, unpriced, told, at_s=1e9), Rules(IdleRule(), FleetRule())
    gpu_report(known, rules)  # compiles
    began_s = time.perf_counter()
    report = gpu_report(known, rules)
    took_s = time.perf_counter() - began_s
    tell(f"{8 * NODES:,} GPUs, {len(inventory.pods):,} pods, repacking included: {took_s:.2f} s")

    idle = sum(each.devices for each in report.findings if each.kind == "idle")
    assert idle == sum(peak == 0 for peak in peaks.values())
    assert took_s < 5

"""How many replicas a node holds, and how many nodes replicas need."""

from __future__ import annotations

import numpy as np
import pytest

from policies.pricing.bill import IDLE, bill
from policies.pricing.facts import GIB, Machine, machines
from policies.pricing.nodes import Headroom, fits, node_pool, nodes_for, placed
from policies.pricing.shapes import Daemons, NodeShape, Request, allocatable, shape_of
from policies.pricing.usage import Usage
from tests.policies.pricing.shared import NODE, lane, prices

GIB_MILLI = GIB * 1000


def shape(cpu: int = 4000, gib: int = 16, gpus: int = 0, *, pods: int = 110, shares_gpus: bool = False) -> NodeShape:
    return NodeShape(NODE, 1_000_000, cpu, gib * GIB_MILLI, gpus, pods, shares_gpus)


def asks(cpu: int = 1000, gib: float = 1, gpu: int = 0, name: str = "chat") -> Request:
    return Request(name, cpu, int(gib * GIB_MILLI), gpu)


@pytest.mark.parametrize(
    ("request_", "node", "most"),
    [
        pytest.param(asks(cpu=1500), shape(), 2, id="cpu"),
        pytest.param(asks(gib=5), shape(), 3, id="memory"),
        pytest.param(asks(cpu=0, gib=0), shape(pods=30), 30, id="pods"),
        pytest.param(asks(gpu=2000), shape(cpu=64_000, gib=256, gpus=8), 4, id="gpus"),
        pytest.param(asks(gpu=500), shape(cpu=64_000, gib=256, gpus=2), 2, id="a-part-of-a-gpu-takes-a-whole-one"),
        pytest.param(
            asks(gpu=500), shape(cpu=64_000, gib=256, gpus=2, shares_gpus=True), 4, id="unless-gpus-are-shared"
        ),
        pytest.param(asks(gpu=600), shape(cpu=64_000, gib=256, gpus=2, shares_gpus=True), 2, id="each-on-one-gpu"),
        pytest.param(asks(gpu=1000), shape(), 0, id="no-gpu"),
    ],
)
def test_how_many_fit_on_a_node(request_: Request, node: NodeShape, most: int) -> None:
    assert fits(request_, node) == most


def test_two_workloads_share_nodes() -> None:
    # 7.6 cores and 28 GiB. index asks for 6 GiB, the larger share: 4 on a node, and then one chat in the last 4 GiB.
    node, chat, index = shape(cpu=7600, gib=28), asks(cpu=1500, gib=4), asks(cpu=600, gib=6, name="index")
    held = placed(np.array([8, 4]), [chat, index], node)
    assert held.tolist() == [[1, 4], [5, 0], [2, 0]]
    counts = np.stack([lane(8, 12, 10, 6, 0), lane(4, 4, 6, 4, 0)])
    assert nodes_for(counts, [chat, index], node).nodes.tolist() == [[3, 4, 3, 2, 0]]


def test_free_room_of_nodes_that_are_there_is_used_first() -> None:
    room = Headroom(*(np.array(each) for each in ([2500, 500], [4 * GIB_MILLI] * 2, [10, 10], [0, 0])))
    needed = nodes_for(np.stack([lane(1, 2, 3, 7)]), [asks()], shape(), room)
    assert needed.nodes.tolist() == [[0, 0, 1, 2]]
    assert needed.replicas.tolist() == [[[0, 0, 1, 5]]]


def test_whole_gpus_of_free_room_are_used() -> None:
    room = Headroom(*(np.array(each) for each in ([8000], [64 * GIB_MILLI], [10], [1])))
    gpu_node = shape(cpu=8000, gib=32, gpus=1)
    assert nodes_for(np.stack([lane(3)]), [asks(gpu=1000)], gpu_node, room).nodes.tolist() == [[2]]


def test_a_replica_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a replica of chat .* does not fit on a node of aws m5.large"):
        nodes_for(np.stack([lane(0, 1)]), [asks(cpu=5000)], shape())
    assert nodes_for(np.stack([lane(0, 0)]), [asks(cpu=5000)], shape()).nodes.tolist() == [[0, 0]]


def test_nodes_are_billed_and_split_by_resources() -> None:
    # A node is worth 9 x 4 + 16 = 52 GiB; chat (1 core, 1 GiB) takes 10 of it, big (2 cores, 8 GiB) 26.
    pool = node_pool(np.stack([lane(2), lane(1)]), [asks(), asks(cpu=2000, gib=8, name="big")], shape())
    found = bill(Usage(3600, (pool,)), prices())
    assert found.owners == ("chat", "big", IDLE)
    assert found.by_owner[:, 0] == pytest.approx([20 / 52, 26 / 52, 6 / 52])


def test_gpus_carry_three_quarters_of_a_gpu_nodes_price() -> None:
    node = shape(cpu=8000, gib=32, gpus=4)
    assert node.node_ratio(asks(cpu=0, gib=0, gpu=1000)) == pytest.approx(0.75 / 4)
    assert node.node_ratio(asks(cpu=8000, gib=32, gpu=4000)) == pytest.approx(1)


def test_what_a_node_keeps_for_itself() -> None:
    # GKE's steps. CPU of 4: 60 + 10 + 2 x 5 m; memory of 16 GiB: 1 + 0.8 + 0.8 GiB and 100 MiB.
    cpu, memory = allocatable(Machine("gcp", "n2-standard-4", 4, 16 * GIB, "", 0))
    assert cpu == 3920
    assert memory / GIB_MILLI == pytest.approx(16 - 2.6 - 100 / 1024)


def test_daemons_take_their_room() -> None:
    machine = machines()["aws", "m5.large"]
    plain, less = shape_of(NODE, 1, machine), shape_of(NODE, 1, machine, Daemons(100, GIB_MILLI, 4))
    assert (plain.cpu_milli - less.cpu_milli, plain.memory_milli - less.memory_milli) == (100, GIB_MILLI)
    assert (plain.pods, less.pods) == (110, 106)
    with pytest.raises(ValueError, match=r"m5.large: daemons leave no room"):
        shape_of(NODE, 1, machine, Daemons(2000))


def test_one_gpu_and_a_half_is_refused() -> None:
    with pytest.raises(ValueError, match=r"asks for whole GPUs, or a part of one, not 1.5"):
        asks(gpu=1500)

"""What is seen of base and surge: counts by zone, what was taken back, and what is not known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.collect.places import REFUSED_S, Standing
from controller.records import ClusterView, NodeView, Notice, PodView, TargetRef, TargetView
from policies.model import Hold, Mode

if TYPE_CHECKING:
    from policies.places import Places

NOW_S = 1_700_000_000.0
BASE = TargetRef("apps/v1", "Deployment", "shop", "web")
SURGE = replace(BASE, name="web-spot")
GOES = Notice("AWS takes it back", reclaimed=True)
CORDONED = Notice("the node is cordoned")
ACTIVE = np.array([Mode.ACTIVE], np.int8)


def pod(name: str, node: str = "", *, ready: bool = True, **more: object) -> PodView:
    plain = PodView(name, "Running", deleted=False, ready=ready, created_at_s=NOW_S - 60, started_at_s=None,
                    transition_at_s=None, node=node)  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


@dataclass
class World:
    """Three spot nodes in two zones, and what stands on them."""

    nodes: dict[str, NodeView] | None = field(
        default_factory=lambda: {name: NodeView(name, spot=True, zone=name[0]) for name in ("a1", "a2", "b1")}
    )
    surge: list[PodView] = field(default_factory=list)
    base: list[PodView] = field(default_factory=list)
    target: TargetView | None = field(default_factory=lambda: TargetView(SURGE, 3, 3, "7"))
    standing: Standing = field(default_factory=Standing)

    def look(self, mode: Mode = Mode.ACTIVE) -> Places:
        self.standing.follow((SURGE,))
        targets = {BASE: TargetView(BASE, 1, 1, "5")} | ({} if self.target is None else {SURGE: self.target})
        view = ClusterView(targets, {BASE: self.base, SURGE: self.surge}, NOW_S, nodes=self.nodes)
        found = self.standing.look(view, [BASE], np.array([mode], np.int8))
        assert found is not None
        return found

    def notice(self, name: str, notice: Notice) -> None:
        assert self.nodes is not None
        self.nodes[name] = replace(self.nodes[name], notice=notice)


def by_zone(found: Places) -> dict[str, tuple[int, ...]]:
    """Ready, starting, waiting, noticed and lost of each zone."""
    zones = found.zones
    columns = zip(zones.ready, zones.starting, zones.waiting, zones.noticed, zones.lost, strict=True)
    return {name: tuple(int(count) for count in row) for name, row in zip(zones.name, columns, strict=True)}


def test_pods_are_counted_by_zone_and_object() -> None:
    world = World(
        surge=[pod("s1", "a1"), pod("s2", "a2", ready=False), pod("s3", "b1"), pod("s4", ready=False)],
        base=[pod("w1", "d1"), pod("w2", "d1", ready=False), pod("s1", "a1")],  # one that both selectors match
    )
    found = world.look()
    assert by_zone(found) == {"": (0, 1, 0, 0, 0), "a": (1, 1, 0, 0, 0), "b": (1, 0, 0, 0, 0)}
    assert (found.base_ready.tolist(), found.base_starting.tolist(), found.surge.tolist()) == ([1], [1], [3])
    assert found.known.tolist() == [True]


def test_a_pod_for_which_no_node_came_was_refused_one() -> None:
    late = pod("s1", ready=False, unschedulable=True, created_at_s=NOW_S - REFUSED_S - 1)
    young = pod("s2", ready=False, unschedulable=True)
    assert by_zone(World(surge=[late, young]).look()) == {"": (0, 1, 1, 0, 0)}


def test_every_pod_on_a_node_with_a_notice_is_announced_to_go() -> None:
    world = World(surge=[pod("s1", "a1"), pod("s2", "a1", ready=False), pod("s3", "a2")])
    world.notice("a1", CORDONED)
    assert by_zone(world.look()) == {"a": (2, 1, 0, 2, 0)}


@pytest.mark.parametrize(
    ("notice", "gone", "lost"),
    [
        pytest.param(GOES, False, 1, id="evicted-from-a-node-that-is-taken-back"),
        pytest.param(None, True, 1, id="gone-with-its-node"),
        pytest.param(CORDONED, False, 0, id="evicted-from-a-cordoned-node"),
        pytest.param(None, False, 0, id="gone-while-its-node-stays"),
    ],
)
def test_what_was_taken_back(notice: Notice | None, *, gone: bool, lost: int) -> None:
    world = World(surge=[pod("s1", "a1"), pod("s2", "b1")])
    world.look()
    if notice is not None:
        world.notice("a1", notice)
    if gone and world.nodes is not None:
        del world.nodes["a1"]
    world.surge = [pod("s2", "b1"), pod("s3", ready=False)]
    found = by_zone(world.look())
    assert found.get("a", (0, 0, 0, 0, 0))[4] == lost
    assert by_zone(world.look()).get("a", (0,) * 5)[4] == 0, "told once"


def test_a_pod_whose_node_is_gone_is_gone_whatever_is_still_shown_of_it() -> None:
    world = World(surge=[pod("s1", "a1")])
    world.look()
    del (world.nodes or {})["a1"]
    assert by_zone(world.look()) == {"a": (0, 0, 0, 0, 1)}


def test_without_nodes_nothing_is_known_and_nothing_is_lost() -> None:
    world = World(surge=[pod("s1", "a1")])
    world.look()
    world.nodes = None
    found = world.look()
    assert (found.known.tolist(), by_zone(found), found.surge.tolist()) == ([False], {}, [3])
    world.nodes = {}
    assert by_zone(world.look()) == {}


@pytest.mark.parametrize(
    ("target", "mode", "hold", "known"),
    [
        pytest.param(None, Mode.ACTIVE, Hold.NO_TARGET, False, id="not-there"),
        pytest.param(TargetView(SURGE, 0, 0, "", problem="?"), Mode.SHADOW, Hold.NO_TARGET, False, id="not-read"),
        pytest.param(TargetView(SURGE, 2, 2, "7", paused=True), Mode.ACTIVE, Hold.ANNOTATION, True, id="paused"),
        pytest.param(TargetView(SURGE, 2, 2, "7", owner="HPA"), Mode.ACTIVE, Hold.OWNED, True, id="owned"),
        pytest.param(TargetView(SURGE, 2, 2, "7", owner="HPA"), Mode.SHADOW, Hold.NONE, True, id="owned-in-shadow"),
    ],
)
def test_a_surge_that_is_not_ours_to_change(target: TargetView | None, mode: Mode, hold: Hold, *, known: bool) -> None:
    found = World(target=target).look(mode)
    assert (found.hold.tolist(), found.known.tolist()) == ([hold], [known])


def test_without_placement_there_is_nothing_to_tell() -> None:
    standing = Standing()
    standing.follow((None, None))
    assert standing.look(ClusterView({}, {}, NOW_S), [BASE, SURGE], ACTIVE) is None

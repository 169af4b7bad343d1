"""The vertical loop on a cluster and a source in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from controller.errors import Conflict, Unavailable
from controller.loop.supervisor import Supervisor
from controller.records import PastSeries, PolicySet, TargetRef
from controller.vertical.loop import VerticalLoop, VerticalParts
from controller.vertical.records import Autoscaler, Checkpoint, ContainerSeen, PodSeen, Watched
from simulations.clock import VirtualClock
from tests.controller.vertical.rig import UsageSource
from tests.rig import START_S, policy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from controller.records import Answer, SignalQuery
    from controller.vertical.records import Document

MIB = 2.0**20
WEB = TargetRef("apps/v1", "Deployment", "shop", "web")
DAY_S = 86_400.0


@dataclass
class KeptCluster:
    """One autoscaler of one Deployment; what is written is kept, and `refuse` is raised instead, once each."""

    pods: tuple[str, ...] = ("web-1", "web-2")
    autoscaler: Autoscaler | None = field(default_factory=lambda: Autoscaler("shop", "web", "uid", "1", WEB))
    oom_at_s: float | None = None
    refuse: list[Exception] = field(default_factory=list)
    written: list[Document] = field(default_factory=list)
    kept: dict[str, Checkpoint] = field(default_factory=dict)
    asked_for: dict[str, TargetRef] = field(default_factory=dict)

    async def watched(self, policies: Mapping[str, TargetRef], namespaces: Collection[str]) -> Sequence[Watched]:
        assert {ref.namespace for ref in policies.values()} <= set(namespaces)
        self.asked_for = dict(policies)
        containers = (ContainerSeen("server", 1000, 2**30 * 1000, self.oom_at_s),)
        pods = tuple(PodSeen(name, containers) for name in self.pods)
        if self.autoscaler is None:
            return [Watched(uid, ref.namespace, None, uid, ref, pods) for uid, ref in policies.items()]
        return [Watched("shop/web", "shop", self.autoscaler, None, WEB, pods)]

    async def write(self, autoscaler: Autoscaler, status: Document) -> None:
        if self.refuse:
            raise self.refuse.pop(0)
        self.written.append(status)
        self.autoscaler = replace(autoscaler, status=status)

    async def read(self, autoscaler: Autoscaler) -> Autoscaler | None:
        return replace(autoscaler, resource_version="2")

    async def checkpoints(self, namespace: str) -> Sequence[Checkpoint]:
        return [each for each in self.kept.values() if each.namespace == namespace]

    async def keep(self, checkpoint: Checkpoint) -> None:
        self.kept[checkpoint.name] = checkpoint

    def problems(self) -> tuple[str, ...]:
        return ()

    def target(self) -> dict[str, str]:
        [container] = self.written[-1]["recommendation"]["containerRecommendations"]
        found: dict[str, str] = container["target"]
        return found


@dataclass
class Rig:
    """The loop on virtual time."""

    cluster: KeptCluster = field(default_factory=KeptCluster)
    source: UsageSource = field(default_factory=UsageSource)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_S))
    policies: PolicySet = field(default_factory=lambda: PolicySet(()))

    def __post_init__(self) -> None:
        self.loop = self.restarted()

    def restarted(self) -> VerticalLoop:
        parts = VerticalParts(self.clock, self.source, self.cluster, Supervisor())
        return VerticalLoop(parts, lambda: self.policies, lambda: None, lambda _report: None)

    def uses(self, cores: float, mib: float) -> None:
        places = [("shop", "server", pod) for pod in self.cluster.pods]
        self.source.cores, self.source.bytes = dict.fromkeys(places, cores), dict.fromkeys(places, mib * MIB)

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.loop.round()
            await self.clock.sleep(60)


async def test_all_replicas_feed_one_histogram() -> None:
    rig = Rig()
    rig.uses(0.5, 600)
    rig.source.cores["shop", "server", "web-2"] = 0.1
    await rig.rounds(1)
    # The 90th percentile of two samples is the larger: the bucket of 0.5 cores ends at 0.519, and 15 % more.
    assert 575 <= int(rig.cluster.target()["cpu"].removesuffix("m")) <= 628


async def test_an_outage_of_the_source_changes_nothing() -> None:
    rig = Rig()
    rig.uses(2.0, 3000)
    await rig.rounds(5)
    before = rig.cluster.target()
    rig.source.down = "connection refused"
    await rig.rounds(60)
    assert rig.cluster.target() == before
    rig.source.down, rig.source.age_s = None, 600.0  # it answers with what was measured ten minutes ago
    rig.uses(0.0, 0.0)
    await rig.rounds(60)
    assert rig.cluster.target() == before


async def test_a_kill_counts_once_and_raises_at_once() -> None:
    rig = Rig()
    rig.uses(0.5, 1000)
    await rig.rounds(2)
    before = int(rig.cluster.target()["memory"])
    rig.cluster.oom_at_s = rig.clock.now_s() - 5
    await rig.rounds(1)
    after = int(rig.cluster.target()["memory"])
    # 1 GiB was requested: 1.2 times as much counts, the end of its bucket, and 15 % more.
    assert after >= 1.2 * 2**30 * 1.15 > before
    writes = len(rig.cluster.written)
    await rig.rounds(3)
    assert int(rig.cluster.target()["memory"]) == after
    assert len(rig.cluster.written) - writes <= 3


async def test_a_restart_knows_what_was_known() -> None:
    rig = Rig()
    rig.uses(2.0, 3000)
    await rig.rounds(15)
    before = rig.cluster.target()
    [kept] = rig.cluster.kept.values()
    assert kept.status["totalSamplesCount"] >= 2 * 10  # two replicas; written after ten minutes again
    rig.loop = rig.restarted()
    rig.cluster.autoscaler = Autoscaler("shop", "web", "uid", "1", WEB)  # its status is lost
    rig.uses(0.1, 100)
    await rig.rounds(1)
    assert rig.cluster.target() == before


async def test_a_checkpoint_that_cannot_be_used_is_told_and_made_anew() -> None:
    rig = Rig()
    rig.uses(0.5, 600)
    rig.cluster.kept["web-server"] = Checkpoint("shop", "web", "server", {"version": "v2"})
    report = await rig.loop.round()
    assert [each for each in report.problems if "checkpoint shop/web-server cannot be used" in each]
    assert rig.cluster.kept["web-server"].status["version"] == "v3"


async def test_the_past_of_what_is_new_is_read_and_not_of_what_is_known() -> None:
    rig = Rig()
    at_s = [START_S - 3600.0 * hour for hour in range(191, -1, -1)]
    rig.source.past_cores = [PastSeries(("shop", "web", "server"), at_s, [1.0] * 192)]
    rig.source.past_bytes = [PastSeries(("shop", "web", "server"), at_s, [2000 * MIB] * 192)]
    rig.uses(0.01, 100)
    await rig.rounds(1)
    assert rig.cluster.target()["cpu"] == rig.cluster.target()["cpu"]
    assert int(rig.cluster.target()["cpu"].removesuffix("m")) >= 1150
    assert [each["type"] for each in rig.cluster.written[-1]["conditions"]] == ["RecommendationProvided"]
    rig.source.asked.clear()
    await rig.rounds(1)
    assert not [query for query in rig.source.asked if "workload" in query]


async def test_a_newer_version_is_read_and_written_and_a_server_that_is_away_is_told() -> None:
    rig = Rig()
    rig.uses(0.5, 600)
    rig.cluster.refuse = [Conflict("newer"), Conflict("newer")]
    report = await rig.loop.round()
    assert (dict(report.writes), report.problems) == ({"written": 1}, ())
    rig.uses(3.0, 600)
    rig.cluster.refuse = [Unavailable("the API server is away")]
    report = await rig.loop.round()
    assert (dict(report.writes), report.problems) == ({"unavailable": 1}, ("the API server is away",))


async def test_a_policy_is_watched_shown_and_nothing_is_written() -> None:
    rig = Rig(KeptCluster(autoscaler=None), policies=PolicySet((policy(resources="recommend"), policy("other"))))
    rig.uses(0.5, 600)
    report = await rig.loop.round()
    assert rig.cluster.asked_for == {"shop/web": WEB}
    assert (rig.cluster.written, rig.cluster.kept) == ([], {})
    [size] = report.by_policy["shop/web"].containers
    assert (size.container, size.requests["cpu"], size.young) == ("server", 1000, True)
    assert "less than a day is known" in size.why


async def test_told_to_stop_it_gives_up_what_hangs_and_keeps_what_it_has_learned() -> None:
    rig = Rig()
    rig.uses(0.5, 600)
    stop, hung = asyncio.Event(), asyncio.Event()
    ask = rig.source.ask

    async def ask_once(queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        if rig.cluster.written:
            hung.set()
            await asyncio.Event().wait()
        return await ask(queries, at_s=at_s, deadline_s=deadline_s)

    rig.source.ask = ask_once  # type: ignore[method-assign]  # a source that hangs the second time
    running = asyncio.create_task(rig.loop.run(stop))
    await asyncio.wait_for(hung.wait(), 10)
    rig.cluster.kept.clear()
    stop.set()
    await asyncio.wait_for(running, 10)
    assert list(rig.cluster.kept) == ["web-server"]


async def test_a_past_of_which_a_part_failed_is_read_again_whole() -> None:
    rig = Rig()
    at_s = [START_S - 3600.0 * hour for hour in range(191, -1, -1)]
    rig.source.past_cores = [PastSeries(("shop", "web", "server"), at_s, [1.0] * 192)]
    rig.source.past_bytes = [PastSeries(("shop", "web", "server"), at_s, [2000 * MIB] * 192)]
    rig.uses(0.01, 100)
    rig.source.past_down = "memory"
    await rig.rounds(1)
    assert rig.cluster.written[-1]["conditions"][0]["type"] == "LowConfidence"  # CPU alone is not taken for the past
    rig.source.past_down = None
    await rig.rounds(16)
    assert int(rig.cluster.target()["cpu"].removesuffix("m")) >= 1150
    assert int(rig.cluster.target()["memory"]) >= 2000 * MIB
    assert [each["type"] for each in rig.cluster.written[-1]["conditions"]] == ["RecommendationProvided"]


def lived(rig: Rig, cores: float, mib: float) -> None:
    """Let the workload have used so much for eight days."""
    at_s = [rig.clock.now_s() - 3600.0 * hour for hour in range(191, -1, -1)]
    key = ("shop", "web", "server")
    rig.source.past_cores = [PastSeries(key, at_s, [cores] * 192)]
    rig.source.past_bytes = [PastSeries(key, at_s, [mib * MIB] * 192)]


def figures(document: Document) -> dict[str, dict[str, str]]:
    [found] = document["recommendation"]["containerRecommendations"]
    return {bound: found[bound] for bound in ("lowerBound", "target", "upperBound")}


async def test_with_its_past_foresail_s_own_method_speaks_and_says_so() -> None:
    rig = Rig(KeptCluster(autoscaler=Autoscaler("shop", "web", "uid", "1", WEB, in_place=True)))
    lived(rig, 1.0, 2000)
    rig.uses(1.0, 2000)
    report = await rig.loop.round()
    [size] = report.workloads[0].containers
    assert {name: (each.method, each.reason) for name, each in size.spoke.items()} == {
        "cpu": ("foresail", "history"),
        "memory": ("foresail", "history"),
    }
    found = figures(rig.cluster.written[-1])
    memory = int(found["target"]["memory"])
    assert 1.041 * 2000 * MIB <= memory <= 1.043 * 2000 * MIB  # the peak, which never rose, and 4.2 %
    assert 0.97 * memory <= int(found["lowerBound"]["memory"]) <= 0.99 * memory
    assert 1.01 * memory <= int(found["upperBound"]["memory"]) <= 1.03 * memory
    assert report.unread == 0


async def test_the_annotation_has_the_vertical_autoscaler_s_method_speak() -> None:
    rig = Rig(KeptCluster(autoscaler=Autoscaler("shop", "web", "uid", "1", WEB, method="vpa")))
    lived(rig, 1.0, 2000)
    rig.uses(1.0, 2000)
    report = await rig.loop.round()
    [size] = report.workloads[0].containers
    assert {(each.method, each.reason) for each in size.spoke.values()} == {("vpa", "asked")}
    assert "by the annotation" in size.why
    assert int(rig.cluster.target()["memory"]) >= 1.15 * 2000 * MIB


async def test_too_little_is_said_with_how_much_there_is() -> None:
    rig = Rig()
    rig.uses(0.5, 600)
    await rig.rounds(70)
    report = await rig.loop.round()
    [size] = report.workloads[0].containers
    assert size.spoke["cpu"].reason == "young"
    assert "with 1 of 72 h of use seen" in size.why


async def test_a_start_without_prometheus_leaves_what_stands_and_goes_on_once_it_is_back() -> None:
    rig = Rig()
    lived(rig, 1.0, 2000)
    rig.uses(1.0, 2000)
    await rig.rounds(10)
    before, writes = figures(rig.cluster.written[-1]), len(rig.cluster.written)
    rig.loop = rig.restarted()
    rig.source.down = rig.source.past_down = ""
    report = await rig.loop.round()
    [size] = report.workloads[0].containers
    assert (report.unread, {each.reason for each in size.spoke.values()}) == (1, {"unread"})
    assert any("the past of shop/Deployment/web" in each for each in report.problems)
    await rig.rounds(20)
    assert len(rig.cluster.written) == writes
    rig.source.down = rig.source.past_down = None
    await rig.rounds(6)
    report = await rig.loop.round()
    assert report.unread == 0
    [size] = report.workloads[0].containers
    assert {each.method for each in size.spoke.values()} == {"foresail"}
    assert figures(rig.cluster.written[-1])["target"] == before["target"]

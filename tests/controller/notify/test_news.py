"""What the webhook is told of a tick: what changed, what begins and ends to be wrong, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controller.notify import News
from controller.records import MESSAGE_TYPES
from simulations.cluster import Faults
from tests.builders import budget
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    import pytest

    from controller.records import Message
    from policies.budget import Budget

QUICK = {
    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 100, "periodSeconds": 15}]},
    "scaleDown": {"stabilizationWindowSeconds": 0},
}


def rig(*budgets: Budget, gpus: int = 0) -> Rig:
    rest: dict[str, object] = {"budget": {"replicaGpus": gpus}} if gpus else {}
    made = policy("web", behavior=QUICK, forecast={"enabled": False}, **rest)
    found = Rig(ListedPolicies([made], budgets=budgets))
    found.source.load = {"web": 14.0}  # two replicas at 70 %
    return found


async def told(news: News, rig: Rig) -> list[Message]:
    """The news of one more tick."""
    await rig.ticks()
    found = news.of(rig.last())
    assert {each.type for each in found} <= set(MESSAGE_TYPES)
    return found


def short(messages: list[Message]) -> list[tuple[str, str | None, int | None, int | None]]:
    return [(each.type, each.reason, each.before, each.after) for each in messages]


async def test_the_first_tick_takes_decisions_as_known_and_a_quiet_one_tells_nothing() -> None:
    world, news = rig(), News()
    assert await told(news, world) == []
    assert await told(news, world) == []


async def test_a_change_is_told_when_decided_and_when_done() -> None:
    world, news = rig(), News()
    await told(news, world)
    world.source.load = {"web": 28.0}

    found = await told(news, world)
    assert [(each.type, each.before, each.after) for each in found] == [("decision", 2, 4), ("scaled", 2, 4)]
    assert {(each.namespace, each.workload) for each in found} == {("shop", "web")}
    assert found[1].text == "Scaled from 2 to 4 replicas."
    assert all(each.reason for each in found)
    assert await told(news, world) == []


async def test_a_refused_write_and_the_hold_after_it_are_told_once() -> None:
    world, news = rig(), News()
    await told(news, world)
    world.cluster.inject(Faults(forbidden=frozenset({Rig.ref("web")})))
    world.source.load = {"web": 28.0}

    refusal = [each for each in await told(news, world) if each.type == "refusal"]
    assert short(refusal) == [("refusal", "rejected", 2, 4)]
    assert refusal[0].text.startswith("Not scaled from 2 to 4 replicas (rejected): ")
    after = await told(news, world)
    assert ("hold", "forbidden", None, None) in short(after)


async def test_the_kill_switch_is_a_safe_mode_and_a_hold_until_it_ends() -> None:
    world, news = rig(), News()
    await told(news, world)
    world.cluster.inject(Faults(killed="the file /stop exists"))

    found = await told(news, world)
    assert short(found) == [("safe_mode", "kill_switch", None, None), ("hold", "kill_switch", None, None)]
    assert found[0].text == "the file /stop exists"
    assert await told(news, world) == []
    world.cluster.inject(Faults())
    assert [each.type for each in await told(news, world)] == ["safe_mode_end", "release"]


async def test_a_source_without_fresh_data_is_a_safe_mode() -> None:
    world, news = rig(), News()
    world.source.load = None
    assert ("safe_mode", "no_fresh_data", None, None) in short(await told(news, world))


async def test_a_budget_that_withholds_replicas_is_told_with_what_it_leaves() -> None:
    world, news = rig(budget(gpus=3), gpus=1), News()
    await told(news, world)
    world.source.load = {"web": 70.0}

    found = [each for each in await told(news, world) if each.type == "budget"]
    assert short(found) == [("budget", "budget", 10, 3)]
    assert "leaves 3 of 10 replicas" in found[0].text
    world.source.load = {"web": 14.0}
    assert "budget_end" in [each.type for each in await told(news, world)]


async def test_a_policy_that_is_refused_is_told_once() -> None:
    world, news = rig(), News()
    await told(news, world)
    broken = replace(world.last(), policies=replace(world.last().policies, problems=("web.yaml: spec: is wrong",)))

    assert [(each.type, each.reason, each.text) for each in news.of(broken)] == [
        ("refusal", "policy_refused", "web.yaml: spec: is wrong")
    ]
    assert news.of(broken) == []


async def test_a_workload_whose_policy_has_gone_is_told_of_no_more() -> None:
    world, news = rig(), News()
    world.cluster.inject(Faults(killed="stop"))
    await told(news, world)
    world.policies.policies = [policy("other")]
    world.policies.version += 1
    world.cluster.inject(Faults())
    assert "release" not in [each.type for each in await told(news, world)]


async def test_replicas_taken_back_are_told_by_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    world, news = rig(), News()
    await world.ticks()
    monkeypatch.setattr("controller.notify.news.placement.interruptions", lambda _: {"zone-a": 2})

    (found,) = news.of(world.last())
    assert (found.type, found.reason, found.text) == (
        "interruption",
        "zone-a",
        "2 spot replicas were taken back in zone-a.",
    )

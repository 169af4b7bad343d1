"""`foresail explain --at`: any recorded moment, decided again from a journal on disk."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from controller.journal import Journal, decision_rows
from controller.records import Intervention, Outcome, ScaleOrder, TargetRef
from policies.engine import decide
from policies.explain import steps_of
from policies.packing import pack
from policies.snapshot import snapshot_of
from policies.state import EngineState
from tests.controller.cli.shared import run
from tests.controller.decisions import decided, policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.model import Decision, Observation

START_S = 1_700_006_400.0  # 2023-11-15T00:00:00Z
LOADS = [30, 30, 50, 60, 60, 20]
SNAPSHOT_AFTER = 2  # ticks
SHOP = TargetRef("apps/v1", "Deployment", "web", "shop")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six ticks, a quarter of a minute apart, with a snapshot after the second; the load changes meanwhile."""
    return f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('journal') / 'foresail.db'}"


@pytest.fixture(scope="module", autouse=True)
def made(journal: str) -> Sequence[Decision]:
    """The decisions as they were made and recorded."""
    return asyncio.run(_recorded(journal))


async def _recorded(url: str) -> Sequence[Decision]:
    journal = await Journal.open(url)
    decisions = []
    first = decided("api/search", "web/shop", load=[10.0, 10.0], replicas=9)
    texts = {uid: yaml.safe_dump(policy(uid).document()) for uid in first.fleet.uid}
    await journal.record_fleet(START_S, pack(first.fleet), texts)
    state = EngineState.fresh(first.fleet)
    for number, load in enumerate(LOADS):
        seen = _seen(first.seen, START_S + 15 * number, load)
        state, decision = decide(first.fleet, state, seen)
        rows = decision_rows(first.fleet, decision, seen.spec_replicas, None)
        await journal.record_tick(seen.now_s, pack(seen), rows)
        if number + 1 == SNAPSHOT_AFTER:
            await journal.save_snapshot(seen.now_s, *snapshot_of(state))
        decisions.append(decision)
    for second, result in ((30, "applied"), (75, "rejected")):
        order = ScaleOrder("web/shop", SHOP, 9, 12, "17", "signals")
        await journal.write_intents(START_S + second, [order])
        told = Outcome(order, START_S + second + 0.5, result, "" if result == "applied" else "forbidden")
        await journal.write_outcomes(START_S + second, [told])
    told_by = ("anna", "load test", START_S + 600)
    await journal.write_intervention(Intervention("1", START_S + 20, "web/shop", "pause", *told_by))
    await journal.write_intervention(Intervention("2", START_S + 50, "web/shop", "resume", *told_by))
    await journal.close()
    return decisions


def _seen(seen: Observation, now_s: float, load: int) -> Observation:
    readings = replace(seen.readings, value_milli=np.array([10_000, 1000 * load], np.int64))
    return replace(seen, now_s=now_s, readings=readings)


def _at(second: int) -> str:
    return f"2023-11-15T00:{second // 60:02}:{second % 60:02}Z"


@pytest.mark.parametrize(
    ("second", "tick", "load"),
    [
        pytest.param(0, 0, 30, id="the first tick, before any snapshot"),
        pytest.param(15, 1, 30, id="the snapshot's own tick"),
        pytest.param(20, 1, 30, id="between the snapshot's tick and the next"),
        pytest.param(30, 2, 50, id="the tick after the snapshot"),
        pytest.param(59, 3, 60, id="between two ticks"),
        pytest.param(75, 5, 20, id="the last tick"),
    ],
)
def test_a_moment_is_told_from_the_tick_that_stood_then(journal: str, second: int, tick: int, load: int) -> None:
    done = run("explain", "web/shop", "--at", _at(second), "--journal", journal)
    assert done.exit_code == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == f"web/shop at {_at(15 * tick).removesuffix('Z')}.000Z, mode active"
    (signal,) = (line for line in lines if line.startswith("  Signal "))
    assert signal.startswith(f"  Signal rps is {load}, 5 s old (fresh); it asks for ")


def test_the_decision_is_the_one_that_was_made_then(journal: str, made: Sequence[Decision]) -> None:
    # Load 20 needs three replicas, and the stabilisation window remembers that there were nine.
    told = run("explain", "web/shop", "--at", _at(75), "--journal", journal, "-o", "json")
    document = json.loads(told.stdout)
    assert (document["kind"], document["target"]["name"], document["mode"]) == ("WorkloadStatus", "shop", "active")
    steps = [(step["rule"], step["before"], step["after"]) for step in document["steps"]]
    assert steps == list(steps_of(made[5], 1)) == [("signals", 9, 3), ("stabilization", 3, 9)]
    assert document["replicas"]["recommended"] == made[5].replicas.target[1]
    assert document["kubernetesReplicas"] == made[5].kubernetes[1]


@pytest.mark.parametrize(
    ("second", "did", "then"),
    [
        pytest.param(
            15,
            ["No order of it is recorded until then."],
            [
                "Then: 2023-11-15T00:00:30.000Z from 9 to 12 because of signals: applied.",
                "Then: 2023-11-15T00:01:15.000Z from 9 to 12 because of signals: rejected: forbidden.",
            ],
            id="before any",
        ),
        pytest.param(
            45,
            ["Last order: 2023-11-15T00:00:30.000Z from 9 to 12 because of signals: applied."],
            ["Then: 2023-11-15T00:01:15.000Z from 9 to 12 because of signals: rejected: forbidden."],
            id="between two",
        ),
        pytest.param(
            75,
            ["Last order: 2023-11-15T00:01:15.000Z from 9 to 12 because of signals: rejected: forbidden."],
            [],
            id="at the last",
        ),
    ],
)
def test_what_it_did_until_then_and_what_followed(journal: str, second: int, did: list[str], then: list[str]) -> None:
    done = run("explain", "web/shop", "--at", _at(second), "--journal", journal)
    lines = [line.strip() for line in done.stdout.splitlines()]
    place = lines.index(f"Next decision: {_at(second + 15).removesuffix('Z')}.000Z.")
    assert (lines[place - 1 : place], lines[place + 1 :]) == (did, then)


def test_what_people_had_told_then_is_told(journal: str) -> None:
    words = "anna paused it until 2023-11-15T00:10:00.000Z, because: load test"
    told = {
        second: run("explain", "web/shop", "--at", _at(second), "--journal", journal).stdout for second in (15, 45, 60)
    }
    assert [words in text for text in told.values()] == [False, True, False]


def test_machines_are_told_it_all(journal: str) -> None:
    told = json.loads(run("explain", "web/shop", "--at", _at(45), "--journal", journal, "-o", "json").stdout)
    assert [(each["after"], each["result"]) for each in told["orders"]] == [(12, "applied")]
    assert [(each["after"], each["result"]) for each in told["followed"]] == [(12, "rejected")]
    assert (told["lastChange"]["result"], told["intervention"]["who"]) == ("applied", "anna")
    assert told["projection"] is None
    assert [(each["name"], each["proposed"]) for each in told["signals"]] == [("rps", 9)]
    assert told["nextDecisionAt"] == "2023-11-15T00:01:00.000Z"


def test_a_time_before_the_first_tick_names_the_first(journal: str) -> None:
    done = run("explain", "web/shop", "--at", "2023-11-14T23:00:00Z", "--journal", journal)
    assert (done.exit_code, done.stdout) == (1, "")
    assert (
        "nothing is recorded for 2023-11-14T23:00:00Z; the first tick known is of 2023-11-15T00:00:00Z" in done.stderr
    )


def test_a_time_when_no_daemon_ran_names_the_nearest_ticks(journal: str) -> None:
    done = run("explain", "web/shop", "--at", "2023-11-15T02:00:00+01:00", "--journal", journal)
    assert done.exit_code == 1
    assert "nothing is recorded for 2023-11-15T01:00:00Z: the tick before is of 2023-11-15T00:01:15Z" in done.stderr


def test_a_workload_without_a_policy_then(journal: str) -> None:
    done = run("explain", "web/till", "--at", _at(30), "--journal", journal)
    assert done.exit_code == 1
    assert "no policy was in force for web/till at 2023-11-15T00:00:30Z; there were api/search, web/shop" in done.stderr


def test_without_a_daemon_the_last_recorded_tick_is_told(journal: str, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    without = run("explain", "web/shop", "--url", url)
    assert without.exit_code == 1
    assert "With --journal FILE the last recorded tick is explained" in without.stderr
    done = run("explain", "web/shop", "--url", url, "--journal", journal)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("web/shop at 2023-11-15T00:01:15.000Z")
    assert "this is the last tick that the journal holds" in done.stderr


def test_the_journal_of_the_daemons_settings_is_the_default(journal: str) -> None:
    done = run("explain", "web/shop", "--at", _at(30), FORESAIL_JOURNAL_URL=journal)
    assert done.exit_code == 0, done.stderr


def test_a_journal_may_be_a_plain_path(journal: str) -> None:
    done = run("explain", "web/shop", "--at", _at(30), "--journal", journal.partition("///")[2])
    assert done.exit_code == 0, done.stderr


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    done = run("explain", "web/shop", "--at", "-2h", "--journal", f"sqlite:///{tmp_path}/absent.db")
    assert done.exit_code == 1
    assert "error: there is no journal at" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "code", "words"),
    [
        pytest.param("--at", "yesterday", 2, "must be a time such as", id="time"),
        pytest.param("--journal", "mysql://x", 2, "Invalid value for --journal: must be a file, sqlite", id="journal"),
    ],
)
def test_bad_options(option: str, value: str, code: int, words: str) -> None:
    done = run("explain", "web/shop", "--at", "-1h", option, value)
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())

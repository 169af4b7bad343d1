"""The daemon while its journal is away, and while its policies are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from tests.integration.daemon import Stage
    from tests.integration.servers.postgresql import PostgreSQL


async def test_a_journal_that_is_away_lets_rises_through_and_holds_up_falls(
    stage: Stage, postgresql: PostgreSQL, database_url: str
) -> None:
    stage.settings["journal_url"] = database_url
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        postgresql.stop()
        stage.load(7)
        eventually(lambda: (daemon.metric("foresail_journal_pending_writes") or 0) > 0)
        await stage.keeps(5)
        stage.load(49)
        await stage.scaled(7)
        postgresql.start()
        stage.load(7)
        await stage.scaled(1)
        eventually(lambda: daemon.metric("foresail_journal_pending_writes") == 0)
        assert (daemon.metric("foresail_journal_write_failures_total") or 0) > 0
        assert daemon.metric("foresail_journal_dropped_ticks_total") == 0
        assert daemon.stop() == 0


async def test_a_broken_policy_file_keeps_the_last_good_one_until_it_is_mended(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.shows(lambda shown: shown["load"] is not None)
        stage.policy_file.write_text(stage.policy_file.read_text().replace("max: 30", "max: 0"))
        eventually(lambda: any("spec.replicas" in problem for problem in daemon.api("workloads")["problems"]))
        assert (daemon.metric("foresail_policies", state="invalid") or 0) > 0
        stage.load(35)
        await stage.scaled(5)
        stage.policy(replicas={"min": 1, "max": 4})
        await stage.scaled(4)
        assert daemon.api("workloads")["problems"] == []
        assert daemon.metric("foresail_policy_reload_failures_total") == 1

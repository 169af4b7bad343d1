"""The one-off import of history from a real Prometheus into a parquet file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from controller.adapters.history_import import HistoryQuery, import_history
from controller.clients.http import HttpAccess
from controller.errors import ForesailError, Rejected, Unavailable
from tests.integration.servers import bad_prometheus as bad
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.bad_prometheus import BadPrometheus
    from tests.integration.servers.prometheus import Prometheus

MIDNIGHT_S = 1_760_000_400  # a whole number of minutes


async def test_a_long_span_is_written_with_its_gap_left_open(prometheus: Prometheus, tmp_path: Path) -> None:
    at_s = [MIDNIGHT_S + number for number in range(20_000)]
    kept = [one for number, one in enumerate(at_s) if not 0 <= number - 10_500 < 1_000]
    prometheus.backfill([Series("load", {"app": "chat"}, kept, [float(one % 997) for one in kept])])
    path = tmp_path / "load.parquet"

    query = HistoryQuery("last_over_time(load[500ms])", at_s[0], at_s[-1], 1)
    report = await asyncio.to_thread(import_history, HttpAccess(prometheus.url), query, path)

    table = pq.read_table(path)
    columns = [(field.name, str(field.type)) for field in table.schema]
    assert columns == [("timestamp", "int64"), ("value", "double")]
    assert table.column("timestamp").to_pylist() == kept
    assert table.column("value").to_pylist() == [one % 997 for one in kept]
    assert (report.series, report.points, report.not_finite) == (1, 19_000, 0)
    assert report.covered_ratio == pytest.approx(0.95)
    assert (report.first_s, report.last_s) == (at_s[0], at_s[-1])
    assert names_in(tmp_path, "*load*") == ["load.parquet"]


async def test_several_series_have_columns_for_what_tells_them_apart(prometheus: Prometheus, tmp_path: Path) -> None:
    at_s = [MIDNIGHT_S, MIDNIGHT_S + 60]
    names = [{"app": "chat", "value": "low", "zone": "z"}, {"app": "code", "value": "high", "zone": "z"}]
    prometheus.backfill([Series("load", labels, at_s, [1.0, float("nan")]) for labels in names])
    path = tmp_path / "load.parquet"

    query = HistoryQuery("load", at_s[0], at_s[1], 60)
    report = await asyncio.to_thread(import_history, HttpAccess(prometheus.url), query, path)

    assert pq.read_table(path).to_pydict() == {
        "timestamp": [MIDNIGHT_S, MIDNIGHT_S],
        "value": [1.0, 1.0],
        "app": ["chat", "code"],
        "label_value": ["low", "high"],
    }
    assert (report.points, report.not_finite, report.covered_ratio) == (2, 2, 0.5)
    assert report.labels == ("app", "value")


async def test_what_prometheus_says_and_an_unused_port_are_told_plainly(
    prometheus: Prometheus, tmp_path: Path, unused_tcp_port: int
) -> None:
    path = tmp_path / "load.parquet"
    with pytest.raises(Rejected, match=r"Prometheus answered HTTP 400: .*parse error") as refused:
        await asyncio.to_thread(import_history, HttpAccess(prometheus.url), HistoryQuery("load(", 0, 60, 60), path)
    assert "\n" not in str(refused.value)
    nobody = HttpAccess(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Unavailable, match=r"cannot be reached: Connection refused$"):
        await asyncio.to_thread(import_history, nobody, HistoryQuery("load", 0, 60, 60), path)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        pytest.param(bad.garbage(), Unavailable, id="garbage"),
        pytest.param(bad.half(), Unavailable, id="half-an-answer"),
        pytest.param(bad.drop(), Unavailable, id="dropped"),
        pytest.param(bad.status(503), Unavailable, id="unavailable"),
        pytest.param(bad.slow(30, bad.garbage()), Unavailable, id="slow"),
        pytest.param(bad.json_answer({"status": "success"}), Unavailable, id="no-data"),
        pytest.param(bad.status(400), Rejected, id="refused"),
        pytest.param(bad.json_answer({"data": {"result": []}}), Rejected, id="no-point"),
    ],
)
async def test_a_failure_is_told_and_leaves_the_old_file(
    bad_prometheus: BadPrometheus, tmp_path: Path, wrong: bad.Answer, error: type[ForesailError]
) -> None:
    bad_prometheus.answers(wrong)
    path = tmp_path / "load.parquet"
    path.write_text("old")

    access = HttpAccess(bad_prometheus.url, timeout_s=0.5)
    with pytest.raises(error, match="history of 'load' from 1970-01-01T00:00:00"):
        await asyncio.to_thread(import_history, access, HistoryQuery("load", 0, 60, 60), path)

    assert path.read_text() == "old"
    assert names_in(tmp_path, "*") == ["load.parquet"]


async def test_credentials_and_tenant_are_sent(bad_prometheus: BadPrometheus, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    bad_prometheus.answers(
        bad.json_answer({"data": {"result": [{"metric": {}, "values": [[0, "1"]]}]}}),
    )
    access = HttpAccess(bad_prometheus.url, bearer_file=token, headers={"X-Scope-OrgID": "team-a"})

    await asyncio.to_thread(import_history, access, HistoryQuery("load", 0, 60, 60), tmp_path / "load.parquet")

    [asked] = bad_prometheus.requests
    assert (asked.headers["Authorization"], asked.headers["X-Scope-OrgID"]) == ("Bearer t0ken", "team-a")
    assert asked.path == "/api/v1/query_range"


def test_a_span_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ForesailError, match=r"step \(0 s\) must be at least 1 s"):
        HistoryQuery("load", 0, 60, 0)


def names_in(folder: Path, pattern: str) -> list[str]:
    return [file.name for file in folder.glob(pattern)]

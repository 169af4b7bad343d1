"""`foresail simulate`: ready scenarios and files, every form of the answer, and every problem of a file."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.controller.cli.shared import run as foresail
from tests.simulations.whatif.builders import document, workload

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

SMALL = document(
    policies=[{"name": "peak", "replicas": "fixed:20"}, {"name": "scaled", "replicas": "hpa:0.70"}],
    description="Is a fleet of twenty too large?",
    runs=3,
)


def run(*arguments: str) -> Result:
    return foresail("simulate", *arguments)


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return str(path)


def test_tells_the_answer_as_tables(small: str) -> None:
    done = run(small, "--jobs", "1")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[:2] == ["small: 1 day, 3 runs, seed 0; beside peak; in USD", "Is a fleet of twenty too large?"]
    # 10 requests/s at 70 % need 15 replicas of 20: a quarter less of 480
    scaled, driven = (line.split() for line in lines if line.startswith("scaled"))
    assert scaled == ["scaled", "360.00", "25.0", "%", "0.00", "%", "yes", "0.00", "%", "100.000", "%", "15", "0"]
    assert driven == ["scaled", "-120.00", "-120.00"]  # in all, and by replicas: the other drivers drive nothing
    assert lines[-2:] == [
        "The cheapest that keeps its objective (1 % late): scaled, which saves 25.0 %. Late: 0.00 %; peak: 0.00 %.",
        "It is no worse than peak, late or unserved.",
    ]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        pytest.param(120, "COST SAVES LATE KEEPS UNSERVED AVAILABLE REPLICAS CHURN/DAY", id="wide"),
        pytest.param(60, "COST SAVES LATE KEEPS UNSERVED REPLICAS", id="narrow"),
    ],
)
def test_the_figures_fit_the_terminal(small: str, columns: int, titles: str) -> None:
    lines = foresail("simulate", small, "--jobs", "1", COLUMNS=str(columns)).stdout.splitlines()
    assert lines[3].split() == ["POLICY", *titles.split()]
    assert len(lines[3]) <= columns


def test_json_is_one_document(small: str) -> None:
    done = run(small, "--jobs", "1", "-o", "json", "--runs", "4", "--seed", "9")
    answer = json.loads(done.stdout)
    assert (answer["runs"], answer["seed"], answer["incumbent"]) == (4, 9, "peak")
    assert answer["policies"][1]["saving_ratio"]["mean"] == pytest.approx(0.25)
    assert len(answer["by_run"]["columns"]["cost"][1]) == 4


def test_csv_has_a_row_for_each_policy_and_figure(small: str) -> None:
    done = run(small, "--jobs", "1", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    (cost,) = [row for row in rows if (row["policy"], row["figure"]) == ("scaled", "cost")]
    assert (cost["mean"], cost["difference"]) == ("360.0", "-120.0")


def test_html_is_a_page(small: str) -> None:
    done = run(small, "--jobs", "1", "-o", "html")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("<!doctype html>")


def test_a_file_is_read_from_the_folder_of_its_scenario(tmp_path: Path) -> None:
    written = document(workloads=[workload({"file": "load.csv", "redraw": "nothing"})])
    (tmp_path / "file.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    rows = "".join(f"{60 * minute},10\n" for minute in range(1442))
    (tmp_path / "load.csv").write_text(f"timestamp,value\n{rows}", encoding="utf-8")
    done = run(str(tmp_path / "file.yaml"), "--jobs", "1", "-o", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["policies"][0]["figures"]["cost"]["mean"] == 480.0


def test_every_problem_ends_it_with_3(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("kind: Scenario\nname: wrong\nname: again\n", encoding="utf-8")
    done = run(str(path))
    assert done.exit_code == 3
    assert "the key 'name' stands twice in one mapping (lines 2 and 3)" in done.stderr
    path.write_text(yaml.safe_dump({**SMALL, "runs": 0, "incumbent": "scald"}), encoding="utf-8")
    done = run(str(path))
    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        f"error: {path}: runs: must be at least 1, not 0",
        f"error: {path}: incumbent: must name a policy, not 'scald' (did you mean scaled?)",
    ]


def test_what_the_document_and_its_records_cannot_make_together_ends_it_with_3(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    pools = [{"name": "small", "price": 1.0, "instance": {"cpu": 2}}]
    written = document(workloads=[workload(replica={"resources": {"cpu": 4}})], capacity={"pools": pools})
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    done = run(str(path), "--jobs", "1")
    assert done.exit_code == 3
    assert "workload web: a replica does not fit onto an instance of pool small" in done.stderr


def test_ready_scenarios_are_told_and_taken_by_name() -> None:
    done = run("--list")
    assert done.exit_code == 0
    assert "five-levers" in done.stdout
    wrong = run("five-lever")
    assert wrong.exit_code == 2
    assert "neither a file nor a ready scenario (did you mean five-levers?)" in wrong.stderr


def test_a_load_of_the_journal_needs_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.yaml"
    path.write_text(yaml.safe_dump(document(workloads=[workload({"journal": "shop/web"})])), encoding="utf-8")
    done = run(str(path))
    assert done.exit_code == 2
    assert "workload web takes its load from a journal: name it" in done.stderr


def test_last_months_bill_stands_beside_every_saving(small: str, tmp_path: Path) -> None:
    bill = tmp_path / "bill.csv"
    rows = "".join(f"2026-10-0{day}T00:00:00Z,500,20,0\n" for day in range(1, 4))
    bill.write_text(f"timestamp,cost,replicas,late\n{rows}", encoding="utf-8")
    done = run(small, "--jobs", "1", "--calibrate", str(bill), "-o", "json")
    found = json.loads(done.stdout)["calibration"]
    assert found["days"] == 3.0
    cost = found["figures"]["cost"]
    # 20 replicas cost 480 a day; 500 were paid: the model is 4 % below
    assert (cost["observed"], cost["simulated"], cost["reproduced"]) == (500.0, 480.0, False)
    assert cost["gap_ratio"] == pytest.approx(-0.04)
    assert found["figures"]["replicas"]["reproduced"] is True
    told = run(small, "--jobs", "1", "--calibrate", str(bill))
    scaled = next(line for line in told.stdout.splitlines() if line.startswith("scaled"))
    assert scaled.split()[1:6] == ["360.00", "25.0", "%", "-4.0", "%"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("timestamp,cost\n0,1\n", "must have two rows at least", id="too-short"),
        pytest.param("timestamp,euros\n0,1\n86400,1\n", "and the columns timestamp and cost", id="no-column"),
        pytest.param("timestamp,cost\n0,1\n0,1\n", "column timestamp, row 2: does not rise", id="not-sorted"),
        pytest.param("timestamp,cost\n0,1\n86400,-\n", "column cost, row 2: must be a number", id="no-number"),
        pytest.param(
            "timestamp,cost\n0,1\n86400,1\n172800,1\n864000,1\n", "row 4: comes 8d after the one before it", id="hole"
        ),
        pytest.param("timestamp,cost\nx,1\ny,1\n", "column timestamp, row 1: must be a moment", id="no-time"),
    ],
)
def test_a_bill_that_cannot_be_read_is_told(small: str, tmp_path: Path, text: str, problem: str) -> None:
    bill = tmp_path / "bill.csv"
    bill.write_text(text, encoding="utf-8")
    done = run(small, "--calibrate", str(bill))
    assert done.exit_code == 1
    assert problem in done.stderr


def test_a_bill_of_another_time_than_the_load_is_told(tmp_path: Path) -> None:
    written = document(workloads=[workload({"file": "load.csv", "redraw": "nothing"})])
    (tmp_path / "file.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    rows = "".join(f"{60 * minute},10\n" for minute in range(1442))
    (tmp_path / "load.csv").write_text(f"timestamp,value\n{rows}", encoding="utf-8")
    bill = tmp_path / "bill.csv"
    for first, told in ((0, False), (2 * 86_400, True)):
        bill.write_text(f"timestamp,cost\n{first},480\n{first + 86_400},480\n", encoding="utf-8")
        done = run(str(tmp_path / "file.yaml"), "--jobs", "1", "--calibrate", str(bill))
        assert done.exit_code == 0, done.output
        assert ("the load of web is of another time than" in done.stderr) is told

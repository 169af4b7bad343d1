"""`foresail sweep` and `foresail compare` as a user meets them."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from controller.cli import app
from simulations.whatif.answer import FIGURES
from tests.simulations.sweep.scenarios import document

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(document()))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--jobs", "1"])


def rows(done: Result) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


def test_a_row_for_each_variant_and_policy(scenario: Path) -> None:
    vary = ["--vary", "policies[1].replicas=fixed:16,fixed:30", "--vary", "workloads[0].load.generate.level=40,60"]
    found = rows(run("sweep", scenario, *vary, "-o", "json"))
    assert len(found) == 8
    assert found[2]["values"] == {"policies[1].replicas": "fixed:16", "workloads[0].load.generate.level": 60}
    assert [each["policy"] for each in found[:2]] == ["hpa", "fixed"]
    assert set(found[0]["figures"]) == set(FIGURES)
    for level in (40, 60):  # rows of one world are compared with each other
        world = [each for each in found if each["values"]["workloads[0].load.generate.level"] == level]
        best = [each for each in world if each["cheapest_at"]]
        keeping = [each for each in world if each["keeps_objective"]]
        assert [each["cheapest_at"] for each in best] == [[0.01]] * bool(keeping)
        assert all(best[0]["figures"]["cost"]["mean"] <= each["figures"]["cost"]["mean"] for each in keeping)
        assert any(each["pareto"] for each in world)


def test_a_table_names_the_cheapest_and_the_front(scenario: Path) -> None:
    done = run("sweep", scenario, "--vary", "policies[1].replicas=fixed:16,fixed:30")
    assert done.exit_code == 0, done.stderr
    assert "policies[1].replicas" in done.stdout
    assert "cheapest at 1 % late, Pareto" in done.stdout
    assert done.stderr == ""  # no progress where nobody watches


def test_csv_has_each_figure_with_its_interval(scenario: Path) -> None:
    done = run("sweep", scenario, "--vary", "seed=1,2", "-o", "csv")
    titles, *lines = csv.reader(done.stdout.splitlines())
    assert titles[:6] == ["seed", "policy", "keeps_objective", "sure", "cheapest_at", "pareto"]
    assert titles[6:9] == ["cost", "cost_low", "cost_high"]
    assert [line[:2] for line in lines] == [["1", "hpa"], ["1", "fixed"], ["2", "hpa"], ["2", "fixed"]]
    cost, low, high = map(float, lines[0][6:9])
    assert low <= cost <= high


@pytest.mark.parametrize(
    ("vary", "status", "told"),
    [
        pytest.param("runs", 2, "PATH=VALUE,VALUE", id="no-values"),
        pytest.param("policies[5].name=x", 2, "policies has 2 entries, counted from 0", id="no-such-entry"),
        pytest.param("policies[0].replica=kpa", 3, "did you mean replicas?", id="a-field-misspelt"),
        pytest.param("runs=5,0", 3, "runs: must be at least 1, not 0", id="a-value-that-is-none"),
    ],
)
def test_what_cannot_be_varied_is_refused_with_the_mend(scenario: Path, vary: str, status: int, told: str) -> None:
    done = run("sweep", scenario, "--vary", vary)
    assert done.exit_code == status
    assert told in done.stderr


def test_every_problem_is_told_once(scenario: Path) -> None:
    done = run("sweep", scenario, "--vary", "runs=0,-1", "--vary", "seed=1,2")
    assert done.stderr.splitlines() == [
        f"error: {scenario}: runs: must be at least 1, not 0",
        f"error: {scenario}: runs: must be at least 1, not -1",
    ]


def test_a_cluster_is_an_address_and_has_its_own_processes(scenario: Path) -> None:
    done = CliRunner().invoke(app, ["sweep", str(scenario), "--cluster", "10.0.0.1"])
    assert (done.exit_code, "as in tcp://10.0.0.1:8786, not '10.0.0.1'" in done.stderr) == (2, True)
    done = run("sweep", scenario, "--cluster", "tcp://10.0.0.1:8786")
    assert (done.exit_code, "a cluster has as many workers as it has" in done.stderr) == (2, True)


def test_an_answer_and_a_scenario_are_compared(scenario: Path, tmp_path: Path) -> None:
    answer, dearer = tmp_path / "before.json", tmp_path / "after.yaml"
    answer.write_text(run("simulate", scenario, "-o", "json").stdout)
    changed = document()
    changed["capacity"]["pools"][0]["price"] = 3.0
    dearer.write_text(yaml.safe_dump(changed))
    done = run("compare", answer, dearer, "-o", "json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["paired_runs"] == 6
    assert found["changes"] == [{"path": "capacity.pools[od].price", "before": "2.0", "after": "3.0"}]
    hpa = next(each for each in found["policies"] if each["name"] == "hpa")
    cost = hpa["figures"]["cost"]
    # On on-demand alone at 3 instead of 2: half as much more, all of it by the price.
    assert cost["after"]["mean"] == pytest.approx(1.5 * cost["before"]["mean"])
    assert hpa["saving_ratio"]["mean"] == pytest.approx(-0.5)
    assert hpa["drivers"]["price"]["mean"] == pytest.approx(cost["change"]["mean"])
    assert hpa["drivers"]["replicas"]["mean"] == pytest.approx(0, abs=1e-9)
    for pair in found["policies"]:
        driven = sum(each["mean"] for each in pair["drivers"].values())
        assert driven == pytest.approx(pair["figures"]["cost"]["change"]["mean"], abs=1e-6)
    table = run("compare", answer, dearer).stdout
    assert "capacity.pools[od].price: 2.0 -> 3.0" in table
    assert "hpa: costs 50.0 %" in table


def test_what_is_no_answer_is_refused(scenario: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.json"
    torn.write_text('{"kind": "Answer"')
    for path in (torn, tmp_path / "absent.json"):
        done = run("compare", path, scenario)
        assert (done.exit_code, f"{path}: cannot be read" in done.stderr) == (3, True)

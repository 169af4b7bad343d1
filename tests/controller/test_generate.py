"""Rendered files: what is in them, and that a stale one is named."""

from pathlib import Path

import pytest

from controller import generate
from controller.settings import catalogue, load


def test_the_policy_reference_has_a_row_for_a_field_of_each_shape() -> None:
    lines = generate.policy_reference().splitlines()
    assert "| `spec.replicas.min` | whole number from 1 | `1` | Fewest replicas. |" in lines
    assert "| `spec.forecast.history` | duration | `14d` | How far back the models look, from 1d to 35d. |" in lines
    assert any(line.startswith("| `spec.forecast.enabled` | `true`, `false` | `true` | Whether") for line in lines)
    assert "| `spec.signals[].target.value` | quantity |  | Target of the total. |" in lines
    assert any(
        line.startswith("| `spec.behavior.scaleDown.policies` | list, at least one | `{type: Percent, value: 100,")
        for line in lines
    )


def test_every_field_says_what_it_means() -> None:
    rows = [line for line in generate.policy_reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_metrics_reference_has_type_labels_and_meaning() -> None:
    expected = (
        "| `foresail_max_replicas` | gauge | `namespace`, `workload` | Upper bound in force, schedules included. |"
    )
    assert expected in generate.metrics_reference().splitlines()


def test_the_settings_reference_has_a_row_for_every_setting_and_an_example_that_loads(tmp_path: Path) -> None:
    text = generate.settings_reference()
    assert all(f"| `{each.flag}` | `{each.variable}` |" in text for each in catalogue())
    assert "| `--state-dir` | `FORESAIL_STATE_DIR` | `~/.local/state/foresail` |" in text
    file = tmp_path / "foresail.yaml"
    file.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    settings = load({}, {}, file).settings
    assert (settings.policies, settings.removal_ratio) == ((tmp_path / "policies",), 0.1)


def test_missing_and_changed_files_are_stale_until_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "GENERATED", {"docs/a.md": lambda: "a\n", "b.md": lambda: "b\n"})
    (tmp_path / "b.md").write_text("old\n")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == ("docs/a.md: is stale; run make generate\nb.md: is stale; run make generate\n")
    assert (tmp_path / "b.md").read_text() == "old\n"
    assert generate.main([]) == 0
    assert (tmp_path / "docs/a.md").read_text() == "a\n"
    assert generate.main(["--check"]) == 0


def test_an_unknown_argument_is_refused_with_the_usage() -> None:
    assert generate.main(["--chek"]) == 2

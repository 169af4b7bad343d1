"""What the doctor says of the age of prices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml

from controller.doctor import Severity
from controller.doctor.prices import examine_prices
from tests.builders import policy

if TYPE_CHECKING:
    from pathlib import Path

    from controller.doctor import Finding

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0


def written(folder: Path, name: str, days: float, replica_hour: float | None = None) -> None:
    file = folder / f"{name}.yaml"
    objective = {} if replica_hour is None else {"prices": {"replicaHour": replica_hour}}
    file.write_text(yaml.safe_dump(policy(name, objective=objective).document()))
    os.utime(file, (NOW_S, NOW_S - days * DAY_S))


def examined(folder: Path) -> list[Finding]:
    return examine_prices((folder,), NOW_S)


def test_without_prices_there_is_nothing_to_tell(tmp_path: Path) -> None:
    written(tmp_path, "web", 400)
    (tmp_path / "broken.yaml").write_text("a: [")
    assert examined(tmp_path) == []
    assert examine_prices((tmp_path / "nowhere",), NOW_S) == []


def test_prices_in_a_file_that_nobody_changed_for_long_are_old(tmp_path: Path) -> None:
    written(tmp_path, "web", 10, 1.5)
    (told,) = examined(tmp_path)
    assert (told.severity, told.message) == (Severity.OK, "1 have prices, in files last changed 10 days ago")
    written(tmp_path, "chat", 91.5, 1.5)
    (old,) = examined(tmp_path)
    assert (old.severity, old.message) == (Severity.WARNING, "its prices are at least 91 days old")
    assert old.about.endswith("/chat")
    assert "objective.prices" in old.mend

"""What is installed: the five names are ours alone, and the libraries are those of the lock."""

import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from controller.clients.environment import urllib3_problem
from tests.architecture.source import PACKAGES, ROOT


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_the_name(package: str) -> None:
    owners = set(importlib.metadata.packages_distributions().get(package, ()))
    assert owners <= {"foresail"}


def test_urllib3_is_the_locked_one_and_no_fork() -> None:
    locked = re.search(r"^urllib3==(\S+)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert locked is not None
    assert importlib.import_module("urllib3").__version__ == locked.group(1)
    assert importlib.metadata.packages_distributions()["urllib3"] == ["urllib3"]
    assert urllib3_problem() is None


def test_the_fork_is_installed_beside_it_and_hooks_nothing() -> None:
    fork = importlib.metadata.distribution("urllib3-future")
    names = [str(file) for file in fork.files or ()]
    assert [name for name in names if name.endswith(".pth")] == []
    assert [name for name in names if name.split("/")[0] == "urllib3"] == []
    site = Path(str(fork.locate_file("")))
    assert [path.name for path in site.glob("*.pth") if "urllib3" in path.name + path.read_text()] == []


def test_the_environment_says_how_the_fork_is_built() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    assert settings["no-binary-package"] == ["urllib3-future"]
    assert settings["extra-build-variables"] == {"urllib3-future": {"URLLIB3_NO_OVERRIDE": "1"}}
    assert "--no-binary urllib3-future" in (ROOT / "requirements.lock").read_text().splitlines()


def test_a_replaced_urllib3_is_told_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.__version__", "2.25.904")
    assert "imports as 2.25.904, a fork; install from requirements.lock" in str(urllib3_problem())
    monkeypatch.undo()
    monkeypatch.setattr("urllib3.__file__", "/elsewhere/urllib3/__init__.py")
    assert "imported from /elsewhere/urllib3/__init__.py" in str(urllib3_problem())


def test_the_lock_names_no_host_and_no_path() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "://" in line or re.search(r"(^|\s)[./~]\S*/", line)] == []

"""What is installed: the five names are ours alone, and the libraries are those of the lock."""

import importlib
import importlib.metadata
import re

import pytest

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


def test_the_lock_names_no_host_and_no_path() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if "://" in line or re.search(r"(^|\s)[./~]\S*/", line)] == []

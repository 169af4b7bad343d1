"""The C library in the place of NVML, compiled once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.controller.adapters.nvml.stand_in import StandIn, compiled
from tests.integration.servers.process import MissingServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _or_skip(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _or_skip(tmp_path_factory.mktemp("old-nvml"), "-DOLD")


@pytest.fixture
def nvml(library: Path, tmp_path: Path) -> StandIn:
    made = StandIn(library, tmp_path / "state")
    made.set()
    return made


@pytest.fixture
def old_nvml(old_library: Path, tmp_path: Path) -> StandIn:
    made = StandIn(old_library, tmp_path / "state")
    made.set()
    return made


def _or_skip(folder: Path, *flags: str) -> Path:
    try:
        return compiled(folder, *flags)
    except MissingServer as error:
        if os.environ.get("FORESAIL_REQUIRE_SERVERS") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))

"""The OpenAPI document, held to what the real application takes, refuses and answers: schemathesis, all checks on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from controller.web import openapi
from tests.controller.web.running import TOKEN, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.controller.web.running import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("schema")
    with running(folder) as found:
        yield found


schema = schemathesis.openapi.from_dict(openapi.document())


@schema.exclude(path="/api/v1/events").parametrize()
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
def test_the_application_does_as_its_document_says(case: schemathesis.Case[Any], stage: Stage) -> None:
    if case.meta is None or case.meta.generation.mode.is_positive:
        named = {"namespace": "shop", "name": "web" if len(str(case.path_parameters)) % 4 else "gone"}
        case.path_parameters = {name: named[name] for name in case.path_parameters or {}}
    case.call_and_validate(base_url=stage.url, headers={"Authorization": f"Bearer {TOKEN}"})

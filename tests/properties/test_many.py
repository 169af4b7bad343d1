"""Some batches of generated fleets; `make bench` looks at very many."""

from __future__ import annotations

import pytest

from tests.properties.many import checked


@pytest.mark.parametrize("seed", range(2))
def test_a_batch_of_fleets_without_a_violation(seed: int) -> None:
    assert checked(seed) == []

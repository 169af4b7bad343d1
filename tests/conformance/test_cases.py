"""No vector is left out, of whatever kind and in whatever file."""

from __future__ import annotations

from tests.conformance import test_hpa, test_kpa, test_skyserve, test_vpa
from tests.conformance.cases import TAKEN, files

TAKERS = (test_hpa, test_kpa, test_skyserve, test_vpa)  # `cases` notes what they take when they are imported


def test_every_vector_is_run() -> None:
    assert {name: {vector["id"] for vector in vectors} for name, vectors in files().items()} == TAKEN


def test_ids_are_unique_within_a_file() -> None:
    found = {name: [vector["id"] for vector in vectors] for name, vectors in files().items()}
    assert {name: len(ids) - len(set(ids)) for name, ids in found.items()} == dict.fromkeys(found, 0)

"""Who may act, from a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from controller.adapters.token_file import TokenFile
from controller.errors import Unavailable
from controller.records import Person

if TYPE_CHECKING:
    from pathlib import Path

ANNA, BEN = "a" * 16, "b" * 32


async def test_a_token_names_its_person_and_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# on call\n\nanna {ANNA}\nben\t{BEN}\n")
    found = TokenFile(path)
    assert await found.person(ANNA) == Person("anna", by="token_file")
    assert await found.person(BEN) == Person("ben", by="token_file")
    assert await found.person("c" * 16) is None
    assert await found.person("") is None
    path.write_text(f"ben {BEN}\n")
    os.utime(path, ns=(1, 1))
    assert await found.person(ANNA) is None
    assert await found.may_act(Person("ben", by="token_file"), None) is None
    assert await found.may_act(Person("ben", by="kubernetes"), None) is not None
    assert BEN not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("anna\n", "line 1: must be a name, a blank and a token", id="no-token"),
        pytest.param(f"anna {ANNA} x\n", "line 1: must be a name", id="three-words"),
        pytest.param("\nanna secret\n", "line 2: the token of anna must have at least 16", id="short"),
        pytest.param(f"anna {ANNA}\nben {ANNA}\n", "line 2: ben has the token of anna", id="shared"),
        pytest.param("anna " + "\u00e4" * 20, "plain characters", id="not-ascii"),
    ],
)
async def test_a_broken_file_lets_nobody_in_and_never_shows_a_token(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"anna {ANNA}\n")
    found = TokenFile(path)
    assert await found.person(ANNA) is not None
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Unavailable, match=words) as raised:
        await found.person(ANNA)
    assert ANNA not in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="none cannot be used: No such file"):
        await TokenFile(tmp_path / "none").person(ANNA)

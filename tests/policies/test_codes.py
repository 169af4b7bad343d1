"""Codes as words."""

from __future__ import annotations

import pytest

from policies.codes import word_of
from policies.model import Action, Hold


def test_a_code_has_its_name_as_a_word() -> None:
    assert word_of(Hold, 3) == word_of(Hold, Hold.KILL_SWITCH) == "kill_switch"
    assert word_of(Action, Action.RAISE) == "raise"
    with pytest.raises(ValueError, match="99 is not a valid Hold"):
        word_of(Hold, 99)

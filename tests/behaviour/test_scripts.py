"""Every script plays as it says, and a script that is wrong says where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.journal import Journal
from tests.behaviour.play import Play
from tests.behaviour.script import Line, ScriptError, parse, read

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
async def test_script(path: Path, tmp_path: Path) -> None:
    await played(read(path), tmp_path)


async def played(lines: Sequence[Line], folder: Path) -> None:
    """Play a script; only one that restarts has a journal, which takes most of the time of those that have one."""
    if not any(line.verb == "restart" for line in lines):
        await Play.of(lines).run()
        return
    journal = await Journal.open(f"sqlite+aiosqlite:///{folder / 'foresail.db'}", timeout_s=10.0)
    try:
        await Play.of(lines, journal).run()
    finally:
        await journal.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "workload web replicas 2\n0m load web 14\n1m expect web 3",
            "a:3: 1m expect web 3\n  1m: replicas of web: 2\n  it has 2 replicas, 2 ready, load 14; steady, hold none. "
            "Signal load is 14, 1 s old (fresh); it asks for 2.",
            id="an expectation that is not met, with what was seen",
        ),
        pytest.param(
            "workload web replicas 2\n0m load web 14\n1m load web 35\n0m..2m expect web changes 0",
            "a:4: 0m..2m expect web changes 0\n  2m: changes of web: 1\n",
            id="changes counted over a range",
        ),
        pytest.param("workload web replicas 2\n0m jump", "a:2: 0m jump\n  cannot be done: says nothing", id="verb"),
        pytest.param("worklod web replicas 2", "a:1: worklod web replicas 2\n  begins with neither", id="setup"),
        pytest.param("workload web", "a:1: workload web\n  cannot be set up: 'replicas'", id="replicas"),
        pytest.param("2m..1m load web 3", "a:1: 2m..1m load web 3\n  ends before it begins", id="range"),
        pytest.param("2m", "a:1: 2m\n  says nothing", id="nothing"),
        pytest.param(
            "workload web replicas 2\n0m load web 1\n0m expect web joy 1", "cannot be expected: 'joy'", id="what"
        ),
    ],
)
async def test_what_is_wrong_is_said_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as error:
        await played(tuple(parse(text, "a")), tmp_path)
    assert said in str(error.value)

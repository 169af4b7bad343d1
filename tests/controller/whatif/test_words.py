"""What is said beside the figures of a what-if."""

import pytest

from controller.whatif import Answered, Question
from controller.whatif.words import notes
from policies.arrays import floats
from simulations.changed import Compared, Evidence, Figures, Terms
from tests.rig import policy


def _answer(hours: float, late: float | None) -> Answered:
    """What happened took 20 replica-hours and was late for 1 %; this is the replay of the same policy."""
    happened = Figures(20.0, None, 0.01, None, 4.0)
    replayed = Figures(hours, None, late, None, 4.0)
    evidence = Evidence((0.0, 86_400.0), 24.0, 0.0, 0.0, 168.0)
    return Answered(Compared(evidence, happened, (replayed, replayed)), (0.0, 86_400.0), 30.0, whole=True)


@pytest.mark.parametrize(
    ("hours", "late", "told"),
    [
        pytest.param(20.4, 0.012, False, id="near-what-happened"),
        pytest.param(18.0, 0.02, False, id="just-within-a-tenth-and-one-per-cent"),
        pytest.param(17.9, 0.01, True, id="fewer-replica-hours"),
        pytest.param(20.0, 0.059, True, id="later"),
        pytest.param(10.0, None, False, id="nothing-came"),
    ],
)
def test_a_replay_that_is_far_from_what_happened_says_so(hours: float, late: float | None, told: bool) -> None:  # noqa: FBT001 - a column
    same = (Terms(0.01, (1, 9)), Terms(0.01, (1, 9)))
    question = Question("", "shop/web", (0.0, 86_400.0), 60.0, 0.8, same, floats(0), floats(0), 40.0)
    said = notes(policy("web"), question, _answer(hours, late))
    assert any(each.startswith("The replay is not faithful here") for each in said) is told

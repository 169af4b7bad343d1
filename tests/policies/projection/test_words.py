"""What is projected, in sentences."""

from __future__ import annotations

import pytest

from policies.arrays import small
from policies.model import Hold
from policies.projection.course import Count, Whatif, under
from policies.projection.load import Load, Untold
from policies.projection.origin import Told
from policies.projection.words import course_sentence, notes
from tests.builders import NOW_S, one
from tests.policies.projection.half_hours import origin, ramp, starting, steady

PAUSED = small(1, Hold.OPERATOR)


@pytest.mark.parametrize(
    ("load", "asked", "name", "sentence"),
    [
        pytest.param(
            ramp(3.5, 7.9, high=1.0),
            Whatif(),
            "paused",
            "If nobody changes anything, shop/web will need 8 replicas while 4 are ready, too few from 00:04 UTC on"
            " (p50); at p90 9 replicas while 4 are ready, too few from 00:01 UTC on.",
            id="too-few",
        ),
        pytest.param(
            steady(3.5, 1.0),
            Whatif(pause_s=420.0),
            "paused",
            "If nobody changes anything until 00:07 UTC, shop/web is expected to have enough replicas until 00:30 UTC"
            " (p50); at p90 it needs 5 replicas while 4 are ready, too few from 00:01 UTC on, for 8 min.",
            id="too-few-at-p90-until-the-pause-is-over",
        ),
        pytest.param(
            steady(2.0, 0.5),
            Whatif(override=3),
            "override",
            "With an override of 3, shop/web is expected to have enough replicas until 00:30 UTC: it needs at most 2"
            " (p90: 3), and at least 3 are ready.",
            id="enough",
        ),
        pytest.param(
            Untold("signal load is missing (no series matches)"),
            Whatif(),
            "asNow",
            "If it goes on as now, nobody can say how many replicas shop/web will have: signal load is missing (no"
            " series matches).",
            id="nothing-known",
        ),
        pytest.param(
            Untold("its policy turns forecasts off"),
            Whatif(),
            "paused",
            "If nobody changes anything, shop/web will have 4 replicas ready at 00:30 UTC; what its load will need is"
            " not known: its policy turns forecasts off.",
            id="load-not-known",
        ),
    ],
)
def test_a_course_in_a_sentence(load: Load | Untold, asked: Whatif, name: str, sentence: str) -> None:
    told = under(origin(), load, asked)
    (course,) = (each for each in told.courses if each.name == name)
    assert course_sentence(told, course) == sentence


def test_too_few_already_now() -> None:
    told = under(origin(load=48.0, told=Told(4)), steady(6.0), Whatif())
    assert "6 replicas while 4 are ready, too few from now on (p50)" in course_sentence(told, told.courses[1])


def test_what_a_plain_half_hour_rests_on() -> None:
    assert notes(under(origin(), steady(3.5), Whatif())) == ("No start was seen yet; 120 s are assumed.",)


def test_who_scales_it_is_told_where_foresail_does_not() -> None:
    fleet = one(mode="shadow")
    nobody = notes(under(origin(fleet=fleet), steady(3.5), Whatif()))
    other = notes(under(origin(fleet=fleet, told=Told(4, autoscaled=True)), steady(3.5), Whatif(override=6)))
    assert nobody[0] == (
        "Foresail changes nothing, because the policy's mode is shadow; nothing is known of how anybody else scales it,"
        " so its count is taken to stay."
    )
    assert other[0] == (
        "Foresail changes nothing, because the policy's mode is shadow; the autoscaler in place is taken for"
        " Kubernetes' rule at 70 % of a replica, which is assumed."
    )
    assert other[1] == "A pause of Foresail does not stop it."
    assert "An override changes nothing that Foresail does not write itself: the policy's mode is shadow." in other


def test_an_override_counts_where_it_is_recommended() -> None:
    floor = origin(fleet=one(mode="floor"), told=Told(4, autoscaled=True))
    told = under(floor, steady(3.5), Whatif(override=6))
    assert not any("override" in note for note in notes(told))
    assert isinstance(told.courses[2].count, Count)
    assert told.courses[2].count.ordered[-1].tolist() == [6, 6]


def test_what_ends_what_hangs_and_what_is_left_out_is_told() -> None:
    queue = {"kind": "pressure", "name": "queue", "query": "queue", "target": {"averageValue": 4}}
    load = {"kind": "demand", "name": "load", "query": "load", "capacityPerReplica": 10}
    told = Told(5, paused_until_s=NOW_S + 600.0)
    begun = origin(fleet=one(load, queue), ready=4, replicas=5, told=told, starts=starting(4000.0), hold=PAUSED)
    found = notes(under(begun, steady(3.5), Whatif()))
    assert "The pause in force ends at 00:10 UTC." in found
    assert "1 of its replicas started longer ago than starts take (120 s) and are not counted on." in found
    assert "Signals of pressure (queue) follow from the replicas and are left out; they may ask for more." in found
    assert "Its load now is only a lower bound, so it may need more." in found  # the queue of 28 is above 4 * 5


def test_what_narrows_is_told_with_its_time() -> None:
    told = under(origin(fleet=one(high=6)), steady(6.0), Whatif())
    assert "As it goes on now, its maximum is reached from 00:01 UTC on." in notes(told)

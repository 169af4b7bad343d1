"""A state as bytes: a small core, and hours that are stored once."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from policies.fleet import fleet_of
from policies.model import Starts
from policies.packing import pack
from policies.schedules import bounds_at
from policies.snapshot import OPEN_HOURS, fleet_from, observation_from, snapshot_of, state_from
from policies.state import EngineState
from tests.builders import FREE, NOW_S, Ticks, demand, one, ordering, policy, readings, seen

HOUR_S = 3600.0


def after_hours(count: int) -> EngineState:
    """The state after a tick in each of so many hours."""
    world = Ticks(fleet_of([policy("a"), policy("b")], FREE), [10, 10])
    for hour in range(count):
        world.tick(readings([70 + hour, 7]), after_s=HOUR_S)
    assert world.state is not None
    return world.state


def test_a_state_comes_back_bit_for_bit() -> None:
    state = after_hours(6)
    core, hours = snapshot_of(state)

    assert len(hours) == 6 - OPEN_HOURS
    assert pack(state_from(core, hours)) == pack(state)


def test_closed_hours_do_not_change_from_snapshot_to_snapshot() -> None:
    early, late = snapshot_of(after_hours(5))[1], snapshot_of(after_hours(6))[1]

    assert set(early) < set(late)
    assert all(late[start_s] == packed for start_s, packed in early.items())


def test_hours_are_matched_by_row() -> None:
    state = after_hours(5)
    core, hours = snapshot_of(state)
    other = state.aligned_to(fleet_of([policy("b"), policy("c")], FREE))
    found = state_from(snapshot_of(other)[0], hours)

    assert pack(found.history) == pack(other.history)
    assert len(state_from(core, {}).history.hours) == OPEN_HOURS


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda core: core[:-5], "stop before their end", id="cut-off"),
        pytest.param(lambda core: b"x" + core, "were not packed by Foresail", id="something-else"),
    ],
)
def test_damaged_bytes_are_refused(damage: object, message: str) -> None:
    core, hours = snapshot_of(after_hours(1))
    assert callable(damage)

    with pytest.raises(ValueError, match=message):
        state_from(damage(core), hours)


def test_another_version_is_refused() -> None:
    core, hours = snapshot_of(replace(after_hours(1), version=99))

    with pytest.raises(ValueError, match="the snapshot has version 99 and this program reads version 3"):
        state_from(core, hours)


def test_what_an_older_foresail_packed_is_read() -> None:
    """Before policies had these objectives, and before it was observed what drove a start-up."""
    fleet = one(demand())
    starts = Starts(np.array([0, 0]), np.array([30.0, 40.0]), np.array([True, False]))
    observation = seen([4], readings([7]), starts=starts)

    assert pack(fleet_from(without(pack(fleet), "aims"))) == pack(fleet)
    assert pack(observation_from(without(pack(observation), "waited", "together", of="starts"))) == pack(observation)


def without(data: bytes, *names: str, of: str = "") -> bytes:
    """Packed bytes that lack these fields, of the whole or of one of its fields."""
    body = zlib.decompress(data[4:])
    size = int.from_bytes(body[:4], "little")
    document = json.loads(body[4 : 4 + size])  # magic and version, then the length of the header, are 4 bytes each
    holder = document["value"][of] if of else document["value"]
    for name in names:
        del holder[name]
    header = json.dumps(document, separators=(",", ":")).encode()
    return data[:4] + zlib.compress(len(header).to_bytes(4, "little") + header + body[4 + size :])


def test_observations_and_fleets_come_back() -> None:
    fleet = one(demand(), schedules=[{"cron": "0 0 * * *", "duration": "1h", "min": 3}])
    observation = seen([4], readings([7]), learned=ordering(fleet, 8))
    again = fleet_from(pack(fleet))
    low, _ = bounds_at(again.schedules, again.min_replicas, again.max_replicas, now_s=NOW_S)

    assert pack(observation_from(pack(observation))) == pack(observation)
    assert pack(again) == pack(fleet)
    assert low.tolist() == [3]

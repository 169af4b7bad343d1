"""A refit in the worker leaves the daemon's event loop alone: leases are renewed on it, and /livez answers from it."""

from __future__ import annotations

import pytest

from tests.integration.beside import gone_through

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LANES, DAYS = 500, 14
# A lease is renewed every few seconds, and a probe waits for a second.
MOST_S = 0.5


async def test_the_event_loop_is_never_held_up_while_a_fleet_is_fitted() -> None:
    gone = await gone_through(LANES, DAYS)
    assert gone.plans.told_at(float(gone.plans.made_at_s[0])).all()
    assert gone.noticed.times > 20
    assert gone.noticed.loop_s < MOST_S
    assert gone.noticed.live_s < MOST_S

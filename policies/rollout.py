"""While a rollout is under way nothing is lowered: what is read then is not of the pods that will be there.

With `maxSurge` more pods than were asked for share the load, so that averages are too low, and those of the new
template may take more or less of it than the old. Load is as it is, and raises as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from policies.model import Observation
    from policies.proposal import Proposal


def while_rolling(proposal: Proposal, seen: Observation, high: IntArray) -> Proposal:
    """No fall below the present count, or `high`, the largest that is allowed, while a rollout goes on. Idempotent."""
    if seen.rolling is None:
        return proposal
    least = np.minimum(seen.spec_replicas, high)
    return proposal.where(seen.rolling, np.maximum(proposal.target, least), rule="rollout")

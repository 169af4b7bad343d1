"""What the policies' objectives come to, as columns: budgets of lateness, what it is worth, and whom to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.arrays import BoolArray, FloatArray, booleans, floats

HEADROOM = 0.875
"""The Kubernetes rule aims at this share of the serving limit: the customary 70 % where the limit is 80 %."""
CHURN_S = 30.0
TOLERANCE_RATIO = 0.1
WINDOW_S = 300.0


@dataclass(frozen=True, slots=True)
class Aims:
    """Beside `Fleet.late_ratio`, the most that may be late at all, `[lane]`.

    `late_price_ratio` is what it costs when the load that one replica serves at its limit is late, in the price of
    that replica for the same time. With 240, an hour in which a tenth of a replica's load is late costs as much as 24
    replica-hours.
    """

    late_incumbent: BoolArray  # no later than the autoscaler in place; late_ratio stands until that is measured
    slo_window_s: FloatArray  # time over which late_ratio is to be kept; 0 = no SLO was declared
    slo_hour_ratio: FloatArray  # most that may be late in any hour, of an average hour's requests; inf = no limit
    late_price_ratio: FloatArray  # 0 = no prices were given: the share alone counts
    churn_s: FloatArray  # price of starting or stopping one replica, in replica-seconds
    incumbent_given: BoolArray  # the policy describes the autoscaler in place; else these are Kubernetes' defaults:
    incumbent_target_ratio: FloatArray  # utilisation it aims at, of capacity
    incumbent_tolerance_ratio: FloatArray  # deviation up to which it does nothing
    incumbent_window_s: FloatArray  # stabilisation window of its falls

    @classmethod
    def none(cls) -> Aims:
        """Of no lanes."""
        return cls.plain(floats(0))

    @classmethod
    def plain(cls, serving_limit_ratio: FloatArray) -> Aims:
        """What holds for policies that say nothing of all this; `serving_limit_ratio` is `[lane]`."""
        lanes = serving_limit_ratio.size
        return cls(
            late_incumbent=booleans(lanes),
            slo_window_s=floats(lanes),
            slo_hour_ratio=floats(lanes, np.inf),
            late_price_ratio=floats(lanes),
            churn_s=floats(lanes, CHURN_S),
            incumbent_given=booleans(lanes),
            incumbent_target_ratio=HEADROOM * serving_limit_ratio,
            incumbent_tolerance_ratio=floats(lanes, TOLERANCE_RATIO),
            incumbent_window_s=floats(lanes, WINDOW_S),
        )

    def for_lanes(self, serving_limit_ratio: FloatArray) -> Aims:
        """These, or the plain ones where nothing was told, as by a fleet that an older Foresail packed."""
        return self if self.churn_s.size == serving_limit_ratio.size else Aims.plain(serving_limit_ratio)

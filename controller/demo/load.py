"""What the demo's workloads are, and the load that reaches them: a week that has been and a week that repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from controller.records import TargetRef
from simulations.serving import HOUR_S
from simulations.traffic import WEEK_S, Daily, FlashCrowd, FlashCrowds, Noise, Traffic, Weekly, generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import FloatArray
    from simulations.traffic import Shape

NAMESPACE = "demo"
STEP_S = 30.0
SERVING_LIMIT = 0.8  # share of capacity up to which requests are in time
LATE = 0.01
WAIT_S = 3  # requests that wait for longer than this ask for more replicas
START_WEEKS_AGO = 9  # far enough that the faster clock does not catch up with the real one for a day
START_HOUR = 8
ARRIVALS = "sum by (namespace, app) (rate(demo_requests_total[2m]))"
LATE_RATIO = (
    "clamp(sum by (namespace, app) (rate(demo_requests_late_total[2m]))"
    " / sum by (namespace, app) (rate(demo_requests_total[2m])), 0, 1)"
)
WAITING = "sum by (namespace, app) (demo_requests_waiting)"


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of model server: what a replica serves at 100 %, bounds, and the shapes of its load."""

    name: str
    capacity: float  # requests/s of one replica
    level: float  # requests/s on average
    replicas: tuple[int, int]  # fewest, most
    begins_with: int
    hourly: float  # what one replica costs in an hour
    shapes: tuple[Shape, ...]

    @property
    def ref(self) -> TargetRef:
        """The object that is scaled."""
        return TargetRef("apps/v1", "Deployment", NAMESPACE, self.name)

    @property
    def policy(self) -> str:
        """The WorkloadPolicy that scales it, as YAML."""
        low, high = self.replicas
        waiting, hourly = self.capacity * WAIT_S, self.hourly
        return POLICY.format(name=self.name, low=low, high=high, capacity=self.capacity, waiting=waiting, hourly=hourly)


POLICY = f"""\
apiVersion: foresail.dev/v1alpha1
kind: WorkloadPolicy
metadata:
  name: {{name}}
  namespace: {NAMESPACE}
spec:
  target: {{{{apiVersion: apps/v1, kind: Deployment, name: {{name}}}}}}
  mode: active
  replicas: {{{{min: {{low}}, max: {{high}}}}}}
  objective: {{{{late: {LATE:.0%}, servingLimit: {SERVING_LIMIT:.0%}, prices: {{{{replicaHour: {{hourly}}}}}}}}}}
  signals:
    - name: arrivals
      kind: demand
      query: {ARRIVALS}
      match: {{{{namespace: $namespace, app: $name}}}}
      capacityPerReplica: {{capacity}}
    - name: late
      kind: late
      query: {LATE_RATIO}
      match: {{{{namespace: $namespace, app: $name}}}}
    - name: waiting
      kind: pressure
      query: {WAITING}
      match: {{{{namespace: $namespace, app: $name}}}}
      target: {{{{averageValue: {{waiting}}}}}}
"""

# More than all maxima together cost, 171 an hour: it is there to be seen, and takes nothing from anybody.
BUDGET = f"""\
apiVersion: foresail.dev/v1alpha1
kind: Budget
metadata: {{name: {NAMESPACE}}}
spec: {{namespace: {NAMESPACE}, usdPerHour: 200}}
"""

WORKLOADS = (
    Workload(
        "chat",
        capacity=6,
        level=60,
        replicas=(3, 30),
        begins_with=15,
        hourly=4.10,
        shapes=(Daily(0.6, peak_hour=14), Weekly(), Noise(0.05, correlation_s=HOUR_S / 4)),
    ),
    Workload(
        "embed",
        capacity=100,
        level=480,
        replicas=(3, 24),
        begins_with=6,
        hourly=0.80,
        # The first crowd comes when somebody watches; when the others come is chance.
        shapes=(
            Daily(0.3, peak_hour=16),
            Noise(0.04, correlation_s=HOUR_S / 12),
            FlashCrowd(WEEK_S + 0.5 * HOUR_S, peak=1.5, rise_s=HOUR_S / 3, fade_s=HOUR_S / 3),
            FlashCrowds(per_day=3, typical_peak=1.6, rise_s=HOUR_S / 6, fade_s=HOUR_S / 3),
        ),
    ),
    Workload(
        "rerank",
        capacity=4,
        level=32,
        replicas=(2, 24),
        begins_with=5,
        hourly=1.20,
        # Reports are written six times a day: emptiest shortly before the demo begins, fullest two hours later.
        shapes=(Daily(0.6, peak_hour=24 * 1.8 / 4, day_s=4 * HOUR_S), Noise(0.04, correlation_s=HOUR_S / 12)),
    ),
)


def start_s(now_s: float) -> float:
    """The Tuesday morning (UTC) on which a demo that is started at `now_s` plays."""
    then = datetime.fromtimestamp(now_s, UTC) - timedelta(weeks=START_WEEKS_AGO)
    tuesday = then - timedelta(days=(then.weekday() - 1) % 7)
    return tuesday.replace(hour=START_HOUR, minute=0, second=0, microsecond=0).timestamp()


class Load:
    """Requests that arrive at one workload: known for the week before `start_s` and for ever after."""

    def __init__(self, workload: Workload, *, start_s: float, seed: int) -> None:
        """Draw the load; the same seed gives the same load relative to the start."""
        steps = round(2 * WEEK_S / STEP_S)
        spec = Traffic(workload.level, workload.shapes, seed)
        rate = generate(spec, start_s=start_s - WEEK_S, steps=steps, step_s=STEP_S)
        self.start_s = start_s
        self.at_s: FloatArray = start_s - WEEK_S + STEP_S * np.arange(steps + 1, dtype=np.float64)
        self._arrived: FloatArray = np.cumsum(np.concatenate([[0.0], rate * STEP_S]), dtype=np.float64)

    def arrived(self, until_s: float) -> float:
        """Requests since the first week began; after the second week that one repeats."""
        weeks = max(0, int((until_s - self.start_s) // WEEK_S))
        of_week = self._arrived[-1] - self._arrived[round(WEEK_S / STEP_S)]
        return float(weeks * of_week + np.interp(until_s - weeks * WEEK_S, self.at_s, self._arrived))

    def rate(self, at_s: Sequence[float], *, over_s: float) -> list[float]:
        """Requests a second over the `over_s` before each wall time."""
        return [(self.arrived(moment_s) - self.arrived(moment_s - over_s)) / over_s for moment_s in at_s]

    def past(self) -> tuple[FloatArray, FloatArray]:
        """Wall times of the week before the start, every half minute, and requests until then, `[step]`."""
        before = self.at_s < self.start_s
        return self.at_s[before], self._arrived[before]

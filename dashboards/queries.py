"""PromQL of the dashboards: the catalogue's metrics, narrowed to what the dashboard's variables choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.forecast.exported import OUTLOOK
from policies.guardrails import HOLD_RULES
from policies.model import Hold
from policies.signals import (
    DECISION_REASON,
    DESIRED_REPLICAS,
    FIXED_REPLICAS,
    LAST_CHANGE,
    LOAD,
    MAX_REPLICAS,
    MIN_REPLICAS,
)

if TYPE_CHECKING:
    from policies.metric import Counter, Gauge, Histogram, Metric

RATE_WINDOW = "$__rate_interval"
WORKLOAD = ("namespace", "workload")
EACH = f"max by ({', '.join(WORKLOAD)})"  # for annotations, which name the workload that they are of
WORKLOADS = tuple(f'{label}=~"${label}"' for label in ("cluster", *WORKLOAD))


def chosen(metric: Metric, part: str = "", *, only: str = "") -> str:
    """Series of the clusters and, where the metric has them, of the workloads that are chosen.

    Choosing all is `.*`, which also takes series without the label `cluster`. `part` is a histogram's suffix, `only`
    further matchers.
    """
    labels = ("cluster", *(label for label in WORKLOAD if label in metric.labels))
    matchers = ",".join([*(f'{label}=~"${label}"' for label in labels), *([only] if only else [])])
    return f"{metric.name}{part}{{{matchers}}}"


def largest(metric: Gauge, *by: str, only: str = "") -> str:
    """The largest value over all instances of the daemon, for each combination of the labels `by`, or of all."""
    if not by:
        return f"max ({chosen(metric, only=only)})"
    return f"max by ({', '.join(_known(metric, by))}) ({chosen(metric, only=only)})"


def per_workload(metric: Gauge, *by: str, only: str = "") -> str:
    """One value for each workload, and for each of the further labels `by`."""
    return largest(metric, "cluster", *WORKLOAD, *by, only=only)


def sum_of_workloads(metric: Gauge, *by: str) -> str:
    """The sum over the chosen workloads, each counted once however many instances export it."""
    total = f"sum by ({', '.join(_known(metric, by))})" if by else "sum"
    return f"{total} ({per_workload(metric, *by)})"


def increase(metric: Counter, window: str, *by: str, only: str = "") -> str:
    """Growth over `window`, for each combination of the labels `by`; without any, of all together."""
    total = f"sum by ({', '.join(_known(metric, by))})" if by else "sum"
    return f"{total} (increase({chosen(metric, only=only)}[{window}]))"


def quantile(metric: Histogram, share: float, *by: str) -> str:
    """A quantile of a histogram, for each combination of the labels `by`."""
    rate = f"rate({chosen(metric, '_bucket')}[{RATE_WINDOW}])"
    return f"histogram_quantile({share:g}, sum by ({', '.join(('le', *_known(metric, by)))}) ({rate}))"


def age(metric: Gauge, *by: str) -> str:
    """Seconds since the moment that a timestamp tells; no value while it is 0, which means never."""
    return f"time() - ({largest(metric, *by)} > 0)"


def how_many(metric: Gauge, condition: str) -> str:
    """How many of the chosen workloads meet a condition such as ``>= 1``; no value where nothing is known of any."""
    operator, _, bound = condition.partition(" ")
    return f"sum ({per_workload(metric)} {operator} bool {bound})"


def at_maximum() -> str:
    """How many of the chosen workloads ask for their maximum, where that is above their minimum."""
    desired, least, most = (per_workload(each) for each in (DESIRED_REPLICAS, MIN_REPLICAS, MAX_REPLICAS))
    return f"sum (({desired} >= bool {most}) * ({most} != bool {least}))"


def only_reasons(*holds: Hold) -> str:
    """The matcher of decisions that these holds had the last word on; of any hold, without one."""
    reasons = "|".join(HOLD_RULES[hold] for hold in holds or HOLD_RULES)
    return f'reason=~"{reasons}"'


def paused_by_people(*, of: str = "max") -> str:
    """1 where people have paused Foresail, else 0."""
    pauses = only_reasons(Hold.PAUSED, Hold.ANNOTATION, Hold.KILL_SWITCH, Hold.OPERATOR)
    return or_zero(f"{of} ({chosen(DECISION_REASON, only=pauses)})")


def fixed_by_people(*, of: str = "max") -> str:
    """1 where people have fixed the replicas, else 0."""
    return or_zero(f"{of} ({chosen(FIXED_REPLICAS)} >= bool 0)")


def or_zero(expr: str) -> str:
    """The same, and 0 where it has no value although there are workloads."""
    return f"{expr} or max ({chosen(DESIRED_REPLICAS)} * 0)"


def told_before(horizon: str, quantile: str) -> str:
    """What was told a horizon before of now, for each workload: it stands at the time that it is about."""
    told = chosen(OUTLOOK, only=f'horizon="{horizon}",quantile="{quantile}"')
    return f"max by (cluster, namespace, workload) ({told} offset {horizon})"


def changed_just_now(by: str, *, of: str = "max") -> str:
    """1 where replicas were changed within the last step, by `foresail` or by `other`; 0 where not, or never."""
    changed = chosen(LAST_CHANGE, only=f'by="{by}"')
    return or_zero(f"{of} (time() - {changed} <= bool $__interval_ms / 1000)")


def changes_age() -> str:
    """Seconds since the replicas asked for last changed, by whomever, for each workload."""
    return f"time() - {per_workload(LAST_CHANGE)}"


def missed(kind: str, horizon: str, *, by_workload: bool = False) -> str:
    """How far what was told a horizon before was from what came, over the hour before.

    `error` is the sum of misses over the sum of loads, `bias` that of the differences, both of the median; `coverage`
    the share of loads at or below the 0.9 quantile. Over all chosen workloads, or for each.
    """
    came, over = per_workload(LOAD), "[1h:5m]"
    total = "sum by (cluster, namespace, workload)" if by_workload else "sum"
    if kind == "coverage":
        below = f"{came} <= bool {told_before(horizon, '0.9')}"
        return f"{total.replace('sum', 'avg', 1)} (avg_over_time(({below}){over}))"
    told = told_before(horizon, "0.5")
    miss = f"{told} - {came}" if kind == "bias" else f"abs({told} - {came})"
    return f"{total} (avg_over_time(({miss}){over})) / {total} (avg_over_time(({came} and {told}){over}))"


def _known(metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
    unknown = set(labels) - {"cluster", *metric.labels}
    if unknown:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    return labels

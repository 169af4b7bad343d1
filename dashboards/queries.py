"""PromQL of the dashboards: the catalogue's metrics, narrowed to what the dashboard's variables choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.metric import Counter, Gauge, Histogram, Metric

RATE_WINDOW = "$__rate_interval"
WORKLOAD = ("namespace", "workload")


def chosen(metric: Metric, part: str = "") -> str:
    """Series of the clusters and, where the metric has them, of the workloads that are chosen.

    Choosing all is `.*`, which also takes series without the label `cluster`. `part` is a histogram's suffix.
    """
    labels = ("cluster", *(label for label in WORKLOAD if label in metric.labels))
    matchers = ",".join(f'{label}=~"${label}"' for label in labels)
    return f"{metric.name}{part}{{{matchers}}}"


def largest(metric: Gauge, *by: str) -> str:
    """The largest value over all instances of the daemon, for each combination of the labels `by`."""
    return f"max by ({', '.join(_known(metric, by))}) ({chosen(metric)})"


def per_workload(metric: Gauge, *by: str) -> str:
    """One value for each workload, and for each of the further labels `by`."""
    return largest(metric, "cluster", *WORKLOAD, *by)


def sum_of_workloads(metric: Gauge, *by: str) -> str:
    """The sum over the chosen workloads, each counted once however many instances export it."""
    total = f"sum by ({', '.join(_known(metric, by))})" if by else "sum"
    return f"{total} ({per_workload(metric, *by)})"


def increase(metric: Counter, window: str, *by: str) -> str:
    """Growth over `window`, for each combination of the labels `by`; without any, of all together."""
    total = f"sum by ({', '.join(_known(metric, by))})" if by else "sum"
    return f"{total} (increase({chosen(metric)}[{window}]))"


def quantile(metric: Histogram, share: float, *by: str) -> str:
    """A quantile of a histogram, for each combination of the labels `by`."""
    rate = f"rate({chosen(metric, '_bucket')}[{RATE_WINDOW}])"
    return f"histogram_quantile({share:g}, sum by ({', '.join(('le', *_known(metric, by)))}) ({rate}))"


def age(metric: Gauge, *by: str) -> str:
    """Seconds since the moment that a timestamp tells; no value while it is 0, which means never."""
    return f"time() - ({largest(metric, *by)} > 0)"


def _known(metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
    unknown = set(labels) - {"cluster", *metric.labels}
    if unknown:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    return labels

"""PromQL about GPUs: the agent's metrics, narrowed to the nodes and GPUs that are chosen, and to pods where known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.queries import RATE_WINDOW

if TYPE_CHECKING:
    from policies.metric import Counter, Gauge, Metric

CHOSEN = 'cluster=~"$cluster",node=~"$node",gpu=~"$gpu"'
# A device that no pod has alone has the empty pod, which all workloads together take in.
_OF_PODS = 'namespace=~"$namespace",pod=~"($workload)(-.*)?"'


def largest(metric: Gauge, *by: str) -> str:
    """The newest value for each combination of the labels `by`."""
    return f"max by ({', '.join(by)}) ({_selected(metric)})"


def rate(metric: Counter, *by: str) -> str:
    """Growth a second."""
    return f"sum by ({', '.join(by)}) (rate({_selected(metric)}[{RATE_WINDOW}]))"


def increase(metric: Counter, *by: str) -> str:
    """Growth over an hour."""
    return f"sum by ({', '.join(by)}) (increase({_selected(metric)}[1h]))"


def age(metric: Gauge) -> str:
    """Seconds since a moment that the agent of each node tells; none while it is 0, which means never."""
    return f'time() - (max by (cluster, node) ({metric.name}{{cluster=~"$cluster",node=~"$node"}}) > 0)'


def _selected(metric: Metric) -> str:
    matchers = f"{CHOSEN},{_OF_PODS}" if "pod" in metric.labels else CHOSEN
    return f"{metric.name}{{{matchers}}}"

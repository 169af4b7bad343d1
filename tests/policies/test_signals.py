"""The catalogue: names that follow Prometheus' conventions, and queries that cannot be wrong."""

from __future__ import annotations

import re

import pytest

from policies import signals
from policies.forecast import exported as foretold
from policies.metric import Counter, Gauge, Histogram, Metric
from policies.resources import exported as sized
from policies.signals import EXPORTED

BASE_UNITS = ("seconds", "ratio", "bytes")
# Sets that are bounded by the policies, the code or the cloud; pods, uids, messages and queries are not.
BOUNDED = {
    *("namespace", "workload", "signal", "quantile", "action", "reason", "result", "target", "source", "kind"),
    *("phase", "state", "version", "python", "hash", "case", "horizon", "model"),
    *("candidate", "mode", "in_charge", "bound", "capacity_type", "zone", "resource", "container"),
    *("against", "by", "method"),
}


@pytest.mark.parametrize("metric", EXPORTED, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"foresail_[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == isinstance(metric, Counter)
    assert metric.help.endswith(".")
    assert set(metric.labels) <= BOUNDED
    assert metric.unit in ("", *BASE_UNITS)
    assert metric.name.endswith(metric.unit)
    assert all(metric.unit == unit for unit in BASE_UNITS if metric.name.endswith(f"_{unit}"))


def test_every_metric_is_exported_and_has_a_name_of_its_own() -> None:
    named = [*vars(signals).values(), *vars(sized).values(), *vars(foretold).values()]
    declared = [value for value in named if isinstance(value, Counter | Gauge | Histogram)]
    assert set(declared) == set(EXPORTED)
    assert len({metric.name for metric in EXPORTED}) == len(EXPORTED) == len(declared)


TICKS = Counter("foresail_ticks_total", "Ticks.", ("source",))
DEPTH = Gauge("foresail_depth", "Depth.", ("workload",))
TOOK = Histogram("foresail_took_seconds", "Took.", (1.0,), ("phase",), "seconds")


@pytest.mark.parametrize(
    ("built", "promql"),
    [
        pytest.param(TICKS.rate("5m"), "rate(foresail_ticks_total[5m])", id="rate"),
        pytest.param(
            TICKS.increase("1h", source='a"b'),
            r'increase(foresail_ticks_total{source="a\"b"}[1h])',
            id="increase-of-one-series",
        ),
        pytest.param(DEPTH.value(workload="chat"), 'foresail_depth{workload="chat"}', id="value"),
        pytest.param(DEPTH.largest("1h30m"), "max_over_time(foresail_depth[1h30m])", id="largest"),
        pytest.param(
            TOOK.quantile(0.99, "$__rate_interval", by=("phase",)),
            "histogram_quantile(0.99, sum by (le, phase) (rate(foresail_took_seconds_bucket[$__rate_interval])))",
            id="quantile",
        ),
        pytest.param(
            TOOK.mean("5m", phase="act"),
            'rate(foresail_took_seconds_sum{phase="act"}[5m]) / rate(foresail_took_seconds_count{phase="act"}[5m])',
            id="mean",
        ),
    ],
)
def test_builds_promql(built: str, promql: str) -> None:
    assert built == promql


def test_a_gauge_asked_for_its_rate_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="foresail_depth is a gauge"):
        DEPTH.rate("5m")


def test_refuses_what_prometheus_would() -> None:
    with pytest.raises(ValueError, match="no label pod; it has workload"):
        DEPTH.value(pod="a")
    with pytest.raises(ValueError, match="not a PromQL duration"):
        TICKS.rate("5 minutes")
    with pytest.raises(ValueError, match="between 0 and 1, not at 99"):
        TOOK.quantile(99, "5m")
    with pytest.raises(ValueError, match="no label pod; it has phase"):
        TOOK.quantile(0.5, "5m", by=("pod",))

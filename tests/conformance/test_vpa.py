"""Kubernetes' vertical recommender, by vectors that pass through the functions that size containers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policies.arrays import floats, integers
from policies.resources.amounts import amounts_of, milli_of, rounded_up, scaled
from policies.resources.estimators import (
    AtLeast,
    Margin,
    Percentile,
    Seen,
    confidence_of,
    controlled_only,
    pod_minimum,
    widened,
)
from policies.resources.histogram import CPU, MEMORY, Buckets, CheckpointError, Histograms
from policies.resources.peaks import Bump, Peaks, applied
from policies.resources.vpa import VpaState, expired, observe
from tests.conformance.cases import Vector, cases

ONE = np.zeros(1, np.int64)
AMOUNTS = ("cpu_milli_from_cores", "scale_amount", "amount_from_float", "round_up")


def _buckets(options: dict[str, Any]) -> Buckets:
    if options["type"] == "linear":
        return Buckets.linear(options["max_value"], options["bucket_size"], options["epsilon"])
    return Buckets.exponential(options["max_value"], options["first_bucket_size"], options["ratio"], options["epsilon"])


def _put(held: Histograms, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        if "do" in step:
            put = {"add": held.add, "subtract": held.subtract}[step["do"]]
            put(ONE, np.array([step["value"]], np.float64), step["weight"], np.array([step["time_s"]], np.float64))
        elif "expect_percentile" in step:
            assert held.percentile(step["expect_percentile"])[0] == pytest.approx(step["value"], rel=1e-9)
        else:
            assert held.is_empty()[0] == step["expect_empty"]


def _values(vector: Vector) -> dict[str, int]:
    given = vector["input"]
    return {"cpu_milli": given["base_cpu_milli"], "memory_bytes": given["base_memory_bytes"]}


@cases("vpa_histogram", "options")
def test_buckets(vector: Vector) -> None:
    buckets, expected = _buckets(vector["options"]), vector["expected"]
    assert (buckets.count, buckets.epsilon) == (expected["num_buckets"], expected["epsilon"])
    for index, start in expected["bucket_starts"]:
        assert buckets.starts()[index] == pytest.approx(start, rel=1e-9)
    for value, index in expected["bucket_of"]:
        assert buckets.of(np.array([value]))[0] == index


@cases("vpa_histogram", "steps")
def test_samples_and_percentiles(vector: Vector) -> None:
    _put(Histograms.empty(1, _buckets(vector["options"]), vector["half_life_s"]), vector["steps"])


@cases("vpa_histogram", "merge")
def test_merge(vector: Vector) -> None:
    first, second = (Histograms.empty(1, _buckets(vector["options"]), vector["half_life_s"]) for _ in range(2))
    _put(first, vector["first"])
    _put(second, vector["second"])
    first.merge(second)
    shares = {str(n): share for n, share in enumerate(first.weights[0] / first.total[0]) if share > 0}
    assert shares == pytest.approx(vector["expected"]["bucket_shares"], rel=1e-9)


@cases("vpa_histogram", "checkpoint")
def test_checkpoints(vector: Vector) -> None:
    held = Histograms.empty(1, _buckets(vector["options"]), vector.get("half_life_s"))
    expected = vector["expected"]
    if "load" in vector:
        load = vector["load"]
        weights = {int(bucket): weight for bucket, weight in load["bucket_weights"].items()}
        if expected.get("error"):
            with pytest.raises(CheckpointError):
                held.restore(0, load["total_weight"], weights)
            return
        held.restore(0, load["total_weight"], weights)
    _put(held, vector.get("steps", []))
    if vector.get("round_trip"):
        again = Histograms.empty(1, held.buckets, held.half_life_s)
        again.restore(0, *held.saved(0), reference_s=float(held.reference_s[0]))
        held = again
        _put(held, vector.get("then", []))
    if "saved" in expected:
        total, saved = held.saved(0)
        assert total == pytest.approx(expected["saved"]["total_weight"], rel=1e-9)
        assert {str(bucket): weight for bucket, weight in saved.items()} == expected["saved"]["bucket_weights"]
    for share, value in expected.get("percentiles", []):
        assert held.percentile(share)[0] == pytest.approx(value, rel=1e-9)


@cases("vpa_estimator", "percentile")
def test_percentile_of_samples(vector: Vector) -> None:
    given, expected = vector["input"], vector["expected"]
    held = Histograms.empty(1, _buckets(given["options"]), None)
    for value, weight in given["samples"]:
        held.add(ONE, np.array([value]), weight, floats(1))
    per_unit = 1000.0 if given["resource"] == "cpu" else 1.0
    found = Percentile(given["percentile"])(Seen(held, per_unit, floats(1)))
    assert found[0] / per_unit == pytest.approx(expected["amount"], rel=expected["relative_tolerance"])
    if expected.get("exact_amount") is not None:
        assert found[0] == expected["exact_amount"]


@cases("vpa_estimator", "confidence_multiplier")
def test_confidence(vector: Vector) -> None:
    given, expected = vector["input"], vector["expected"]
    count = given["samples_count"]
    lifespan_s = floats(1, max(count - 1, 0) * float(given["sample_spacing_s"]))
    confidence = confidence_of(lifespan_s, integers(1, count), given["confidence_interval_s"])
    assert confidence[0] == pytest.approx(expected["confidence"], rel=1e-9)
    for name, base in _values(vector).items():
        if expected.get(name) is not None:
            found = widened(np.array([base]), confidence, given["multiplier"], given["exponent"])
            assert found[0] == expected[name]


class Known:
    """Estimates what it is told."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __call__(self, seen: Seen) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        del seen
        return np.array([self.amount])


NOTHING = Seen(Histograms.empty(1, CPU, None), 1.0, floats(1))


@cases("vpa_estimator", "margin")
def test_margin(vector: Vector) -> None:
    fraction = vector["input"]["fraction"]
    found = {name: int(Margin(Known(base), fraction)(NOTHING)[0]) for name, base in _values(vector).items()}
    assert found == {name: vector["expected"][name] for name in found}


@cases("vpa_estimator", "min_resource", "pod_minimum")
def test_minimum(vector: Vector) -> None:
    given = vector["input"]
    if vector["kind"] == "pod_minimum":
        containers = integers(1, given["containers"])
        least = {
            "cpu_milli": pod_minimum(given["pod_min_cpu_milli"], containers),
            "memory_bytes": pod_minimum(given["pod_min_memory_mib"] * (1 << 20), containers),
        }
    else:
        least = {
            "cpu_milli": np.array([given["min_cpu_milli"]]),
            "memory_bytes": np.array([given["min_memory_bytes"]]),
        }
    found = {name: int(AtLeast(Known(base), least[name])(NOTHING)[0]) for name, base in _values(vector).items()}
    assert found == {name: vector["expected"][name] for name in found}


@cases("vpa_estimator", "controlled_resources")
def test_controlled_resources(vector: Vector) -> None:
    found = controlled_only({"cpu": 1, "memory": 2}, vector["input"]["controlled"])
    assert set(vector["expected"]["present"]) <= set(found)
    assert not set(vector["expected"]["absent"]) & set(found)


@cases("vpa_estimator", *AMOUNTS)
def test_amounts(vector: Vector) -> None:
    given, expected = vector["input"], vector["expected"]
    if expected.get("error"):
        with pytest.raises(ValueError, match="multiples above 0"):
            rounded_up(np.array([given["amount"]]), given["multiple"])
        return
    found = {
        "cpu_milli_from_cores": lambda: milli_of(np.array([given["cores"]])),
        "scale_amount": lambda: scaled(np.array([given["amount"]]), given["factor"]),
        "amount_from_float": lambda: amounts_of(np.array([given["value"]])),
        "round_up": lambda: rounded_up(np.array([given["amount"]]), given["multiple"]),
    }[vector["kind"]]()
    assert found[0] == expected["amount"]


@cases("vpa_estimator", "aggregate_expired")
def test_histories_expire(vector: Vector) -> None:
    given = vector["input"]
    found = expired(floats(1, given["age_s"]), interval_s=given["interval_s"], intervals=given["interval_count"])
    assert found[0] == vector["expected"]["expired"]


@cases("vpa_estimator", "cpu_samples")
def test_cpu_samples_in_order(vector: Vector) -> None:
    state = VpaState.start(1, "cpu")
    given = vector["input"]["samples"]
    found = [bool(observe(state, float(at_s), np.array([milli / 1000.0]))[0]) for at_s, milli in given]
    expected = vector["expected"]["accepted"]
    assert (found if isinstance(expected, list) else sum(found)) == expected


@cases("vpa_memory")
def test_memory_peaks(vector: Vector) -> None:
    peaks = Peaks.none(1, float(vector["interval_s"]))
    held, again = (Histograms.empty(1, MEMORY, 86400.0) for _ in range(2))
    for step in vector["steps"]:
        at_s = np.array([step["time_s"]], np.float64)
        if step["event"] == "sample":
            change = peaks.sample(ONE, at_s, np.array([step["bytes"]]))
        else:
            bump = Bump(vector["oom_bump_ratio"], vector["oom_min_bump_bytes"])
            change = peaks.kill(ONE, at_s, np.array([step["requested_bytes"]]), bump)
        found = [
            {"op": name, "value": int(value[0]), "weight": 1.0, "time_s": change.at_s[0]}
            for name, value in (("subtract", change.gone), ("add", change.came))
            if value[0] >= 0
        ]
        assert (bool(change.counts[0]), found) == (step["accepted"], step["histogram_ops"])
        applied(held, ONE, change)
        for each in step["histogram_ops"]:
            put = again.add if each["op"] == "add" else again.subtract
            put(ONE, np.array([float(each["value"])]), each["weight"], np.array([float(each["time_s"])]))
        assert held.weights.tolist() == again.weights.tolist()

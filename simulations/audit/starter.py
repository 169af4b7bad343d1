"""The WorkloadPolicy to start with: in shadow, with what the audit used."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policies.spec import API_VERSION, KIND, policy_from

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy
    from simulations.audit.case import Case

_DIGITS = 6


def starter(case: Case) -> WorkloadPolicy:
    """The policy that decides and records what the audit replayed, and writes nothing. Raises PolicyError."""
    scaled, measure = case.autoscaler, case.measure
    signal: dict[str, object] = {"name": "load", "kind": "demand", "query": measure.query}
    if measure.from_request:
        signal["capacityFromRequest"] = {"resource": "cpu"}
    else:
        signal["capacityPerReplica"] = _written(case.serving.capacity)
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": scaled.target_name, "namespace": scaled.namespace},
        "spec": {
            "target": {
                "apiVersion": scaled.target_api_version,
                "kind": scaled.target_kind,
                "name": scaled.target_name,
            },
            "mode": "shadow",
            "replicas": {"min": max(1, scaled.min_replicas), "max": scaled.max_replicas},
            "signals": [signal],
            "objective": {"servingLimit": round(case.serving.serving_limit_ratio, 4)},
        },
    }
    return policy_from(document, source=case.name)


def starter_document(case: Case) -> dict[str, object]:
    """The same as plain values for YAML, with the mode written out. Raises PolicyError."""
    document = starter(case).document()
    spec = document["spec"]
    if isinstance(spec, dict):
        document["spec"] = {"target": spec["target"], "mode": "shadow", **spec}
    return document


def _written(capacity: float) -> str:
    """A capacity as digits, to six of them, and at least a thousandth."""
    rounded = Decimal(f"{capacity:.{_DIGITS}g}")
    return f"{max(rounded, Decimal('0.001')):f}"

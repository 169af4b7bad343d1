"""Short ways to scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulations.whatif.document import scenario_from

if TYPE_CHECKING:
    from simulations.whatif.document import Scenario

Document = dict[str, Any]

ON_DEMAND = {"name": "on-demand", "price": 1.0, "zone": "a"}
SPOT = {"name": "spot", "type": "spot", "price": 0.4, "zone": "a"}


def document(**fields: object) -> Document:
    """One workload of 10 requests/s on replicas of 1 request/s that start at once, kept at 20; one day in one run."""
    return {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Scenario",
        "name": "small",
        "runs": 1,
        "days": 1,
        "workloads": [workload()],
        "policies": [{"name": "fixed", "replicas": "fixed:20"}],
        "capacity": {"pools": [ON_DEMAND]},
        **fields,
    }


def workload(load: Document | None = None, *, replica: Document | None = None, **fields: object) -> Document:
    usual = {"capacity": 1, "startup": [{"share": 1, "time": "0s"}]}
    return {
        "name": "web",
        "load": {"generate": {"level": 10}} if load is None else load,
        "replica": {**usual, **(replica or {})},
        **fields,
    }


def scenario(**fields: object) -> Scenario:
    return scenario_from(document(**fields), source="test")

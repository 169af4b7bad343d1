"""A small scenario for the tests of sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulations.sweep.vary import Vary, variants_of
from simulations.whatif.document import scenario_from
from simulations.whatif.inputs import Inputs

if TYPE_CHECKING:
    from simulations.whatif.document import Scenario


def document(**more: object) -> dict[str, Any]:
    """Two policies on a noisy load, an hour and a half in six runs, on-demand and spot."""
    return {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Scenario",
        "name": "small",
        "runs": 6,
        "days": 0.0625,
        "workloads": [
            {
                "name": "chat",
                "load": {"generate": {"level": 60, "noise": {"sigma": 0.2, "correlation": "10m"}}},
                "replica": {"capacity": 5, "startup": [{"share": 0.8, "time": "2m"}, {"share": 0.2, "time": "5m"}]},
            }
        ],
        "policies": [
            {"name": "hpa", "replicas": "hpa:0.70"},
            {"name": "fixed", "replicas": "fixed:20", "mix": "skyserve"},
        ],
        "capacity": {
            "pools": [{"name": "od", "price": 2.0}, {"name": "spot", "type": "spot", "price": 0.7}],
        },
        "faults": {"spot": {"spells": {"up": "2h", "down": "20m"}}},
        **more,
    }


def variants(*vary: str, **more: object) -> list[tuple[Scenario, Inputs]]:
    """The variants of that scenario, as a sweep takes them."""
    inputs = Inputs()
    made = variants_of(document(**more), [Vary.parse(text) for text in vary])
    return [(scenario_from(each.document, source="small"), inputs) for each in made]

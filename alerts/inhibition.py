"""Which alerts make others needless while they fire, as rules of Alertmanager: one cause, one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alerts.rule import WORKLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While `cause` fires, `follow` are not told where the labels `equal` are the same. All have those labels."""

    cause: str
    follow: tuple[str, ...]
    equal: tuple[str, ...]


_CLUSTER, _OF_WORKLOAD = ("cluster",), ("cluster", *WORKLOAD)
_GPU = ("cluster", "node", "gpu")

INHIBITIONS = (
    # Whoever does not tick asks nothing, and what it has told last is old.
    Inhibition(
        "ForesailNoActor", ("ForesailSourceStale", "ForesailSourceQueriesFailing", "ForesailLoopSlow"), _CLUSTER
    ),
    # Without fresh samples nothing is lowered, which costs more, and what is told of workloads is old.
    Inhibition(
        "ForesailSourceStale",
        ("ForesailSafeModeActive", "ForesailSavingsBelowPromise", "ForesailSignalsStale"),
        _CLUSTER,
    ),
    Inhibition("ForesailSourceQueriesFailing", ("ForesailSignalsStale",), _CLUSTER),
    Inhibition("ForesailFrozenWhileLoadClimbs", ("ForesailSignalsStale",), _OF_WORKLOAD),
    Inhibition("ForesailMaxedOutWhileSaturated", ("ForesailMaxedOut", "ForesailMaximumAhead"), _OF_WORKLOAD),
    Inhibition("ForesailErrorBudgetBurnFast", ("ForesailErrorBudgetBurnSlow", "ForesailObjectiveMissed"), _OF_WORKLOAD),
    Inhibition("ForesailErrorBudgetBurnSlow", ("ForesailObjectiveMissed",), _OF_WORKLOAD),
    Inhibition("ForesailCapacityPending", ("ForesailReplicasMismatch",), _OF_WORKLOAD),
    Inhibition("ForesailTargetOwned", ("ForesailExternalConflict",), _OF_WORKLOAD),
    Inhibition("ForesailMaxedOut", ("ForesailMaximumAhead",), _OF_WORKLOAD),
    Inhibition("ForesailSpotInterruptionStorm", ("ForesailSpotMissing",), _CLUSTER),
    Inhibition("ForesailSpotShort", ("ForesailSpotMissing",), _OF_WORKLOAD),
    Inhibition("ForesailGPULost", ("ForesailGPUXIDCritical", "ForesailGPUECCUncorrectable"), _GPU),
    Inhibition("ForesailGPUXIDCritical", ("ForesailGPUECCUncorrectable", "ForesailGPURowRemapPending"), _GPU),
    Inhibition("ForesailGPURowRemapFailed", ("ForesailGPUECCUncorrectable", "ForesailGPURowRemapPending"), _GPU),
    Inhibition("ForesailGPUThermalThrottling", ("ForesailGPUHot",), _GPU),
)


def document(inhibitions: Iterable[Inhibition]) -> dict[str, Any]:
    """The rules as Alertmanager reads them, 0.22 or newer."""
    return {
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{each.cause}"'],
                "target_matchers": [f'alertname=~"{"|".join(each.follow)}"'],
                "equal": list(each.equal),
            }
            for each in inhibitions
        ]
    }

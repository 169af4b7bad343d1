"""Alerts about GPUs: their use and their faults."""

from __future__ import annotations

from alerts.rule import WORKLOAD, Alert, Group, Severity, of_workload
from policies import signals

ALERTS: tuple[Alert, ...] = (
    Alert(
        name="ForesailGPUIdle",
        expr=f"{of_workload(signals.GPU_IDLE)} > 0",
        severity=Severity.WARNING,
        summary="A workload has GPUs that it has not used for hours.",
        description="{{ $labels.namespace }}/{{ $labels.workload }} has {{ $value }} GPUs that did nothing for three"
        " hours. First see with `foresail recommend gpus -n {{ $labels.namespace }}` which those are and what they"
        " cost.",
        wait="120m",
        labels=("cluster", *WORKLOAD),
    ),
)

GROUPS = (Group("foresail-gpus", ALERTS),)

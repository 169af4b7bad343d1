"""What to say of a policy that scales by the utilisation of GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.gpus.signals import utilisation_in
from policies.problems import Problem

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy


def utilisation_cautions(policy: WorkloadPolicy, *, source: str) -> tuple[Problem, ...]:
    """What is to be said of each signal whose query asks for a metric that means no more than that a kernel ran."""
    pairs = zip(policy.spec.signals, policy.queries(), strict=True)
    return tuple(
        Problem(
            source,
            f"spec.signals[{place}].query",
            f"signal {signal.name} of {policy.uid} reads {metric}, which means that a kernel ran: 100 % may be one"
            " small request at a time; read the server's queue, KV cache or requests instead, or"
            " DCGM_FI_PROF_SM_ACTIVE",
        )
        for place, (signal, bound) in enumerate(pairs)
        if (metric := utilisation_in(bound.query)) is not None
    )

"""What the API says of the sizes of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.quantities import quantity_of
from policies.resources.fed_by_size import fed_by_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.records import ContainerSize, SizedWorkload, TickReport
    from controller.web import shapes
    from controller.web.shapes import WorkloadSize


def sized(workload: SizedWorkload) -> WorkloadSize:
    """One workload: what its containers request and should request."""
    target = workload.target
    return {
        "namespace": target.namespace,
        "target": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
        "autoscaler": workload.autoscaler,
        "policy": workload.policy,
        "problem": workload.problem,
        "containers": [_container(each) for each in workload.containers],
    }


def sizes(report: TickReport, lane: int) -> WorkloadSize | None:
    """The sizes of a policy's workload; None where it does not ask for them, or nothing was seen yet."""
    found = report.sizes.get(report.fleet.uid[lane])
    return None if found is None else sized(found)


def sentences(report: TickReport, lane: int) -> list[str]:
    """The same in sentences, and what is to be said where its replicas follow its size."""
    found = report.sizes.get(report.fleet.uid[lane])
    if found is None:
        return []
    told = [_sentence(each) for each in found.containers]
    if found.problem:
        told.append(f"its containers cannot be sized: {found.problem}")
    mine = [policy for policy in report.policies.policies if policy.uid == found.policy]
    return told + [each.message for policy in mine for each in fed_by_size(policy, source="")]


def _sentence(size: ContainerSize) -> str:
    now, target = quantities(size.requests), quantities(size.target)
    parts = [f"{name} {target[name]} (now {now.get(name, 'not set')})" for name in target]
    return f"container {size.container} should request {' and '.join(parts)}: {size.why}"


def _container(size: ContainerSize) -> shapes.ContainerSize:
    return {
        "name": size.container,
        "requests": quantities(size.requests),
        "lowerBound": quantities(size.lower),
        "target": quantities(size.target),
        "upperBound": quantities(size.upper),
        "lowConfidence": size.young,
        "why": size.why,
        "method": {
            resource: {
                "name": each.method,
                "reason": each.reason,
                "knownSeconds": each.known_s,
                "neededSeconds": each.needed_s,
            }
            for resource, each in size.spoke.items()
        },
    }


def quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    """Thousandths by resource, as Kubernetes writes them."""
    return {name: quantity_of(name, milli) for name, milli in amounts.items()}

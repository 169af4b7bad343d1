"""From a cluster and a Prometheus to a plan for every workload. Only reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.kubernetes.autoscalers import read_autoscalers
from controller.adapters.kubernetes.discovery import Discovery
from controller.adapters.kubernetes.inventory import read_nodes
from controller.adapters.kubernetes.vertical.running import running_pods
from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.clients.kubernetes import connect
from controller.clock import SystemClock
from controller.cost import Wanted as PricesWanted
from controller.errors import ForesailError, Rejected
from controller.sizing.methods import Kills, sized
from controller.sizing.plan import Told, planned
from controller.sizing.prices import Rates, rates_of
from controller.sizing.told import told_pods
from controller.sizing.usage import needed_queries, read_usage
from controller.vertical.queries import Named
from controller.vertical.records import RESOURCES
from controller.vertical.workloads import Scaled, workloads_of
from policies.resources.methods import Aims
from policies.resources.one_plan import Signal
from simulations.audit.autoscaler import ResourceMetric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from controller.audit.gather import ClusterAccess
    from controller.clients.http import HttpAccess
    from controller.clients.kubernetes import KubernetesSession
    from controller.records import PricesSeen
    from controller.sizing.plan import SizedWorkload
    from controller.vertical.workloads import RunningPod, Workload
    from simulations.audit.autoscaler import Autoscaler

_SIGNALS = {"cpu": Signal.CPU, "memory": Signal.MEMORY}
STALE_AFTER_S = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read, and how to size and price it."""

    end_s: float
    days: int
    budget: Budget
    cluster: ClusterAccess
    method: str
    aims: Aims = field(default_factory=Aims)
    prices: tuple[PricesSeen, ...] = ()
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Progress:
    """Who hears what is being done, how many queries there will be, and of each that is done."""

    doing: Callable[[str], None]
    total: Callable[[int], None]
    done: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Sized:
    """The plans, where they were read, what that cost, and what could not be read."""

    source: str
    workloads: Sequence[SizedWorkload]
    currency: str
    queries: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    pods: Sequence[RunningPod]
    scaled: Mapping[Named, Scaled]
    rates: Rates
    warnings: tuple[str, ...]


async def recommend(access: HttpAccess, wanted: Wanted, progress: Progress) -> Sized:
    """Read, size and plan. Raises ForesailError, such as where there is nothing to size."""
    async with MeteredPrometheus(access, wanted.budget) as prometheus:
        progress.doing("looking for workloads")
        found = await _found(prometheus, wanted)
        workloads = workloads_of(found.pods, found.scaled)
        if not workloads:
            where = "any namespace" if wanted.cluster.namespace is None else f"namespace {wanted.cluster.namespace}"
            raise Rejected(f"no pod runs in {where}" + "".join(f"; {each}" for each in found.warnings))
        progress.total(needed_queries(workloads, wanted.days))
        progress.doing(f"reading what {len(workloads)} workloads used")
        _, usage = await read_usage(prometheus, workloads, wanted.end_s, wanted.days, progress.done)
        kills = _kills(workloads)
        advice = {name: sized(wanted.method, wanted.aims, name, usage[name], kills) for name in RESOURCES}
        return Sized(
            source=f"Prometheus at {access.url}",
            workloads=planned(workloads, Told(advice, usage), found.rates),
            currency=wanted.currency,
            queries=prometheus.queries,
            warnings=(*found.warnings, *found.rates.warnings),
        )


async def _found(prometheus: MeteredPrometheus, wanted: Wanted) -> _Found:
    """From the cluster, or from Prometheus alone where that cannot be read, and why."""
    cluster, why = wanted.cluster, "--no-cluster"
    if cluster.use:
        try:
            return await _listed(cluster, wanted)
        except ForesailError as error:
            if cluster.kubeconfig is not None or cluster.context is not None:
                raise type(error)(f"{error} (or --no-cluster, to do without the cluster)") from error
            why = str(error)
    words = (
        f"workloads were read from Prometheus, not from the cluster ({why}): their limits, kills for want of memory,"
        " nodes, prices and autoscalers are not known that way"
    )
    pods = await told_pods(prometheus, cluster.namespace, at_s=wanted.end_s)
    return _Found(pods, {}, Rates(wanted.currency, {}), (words,))


async def _listed(cluster: ClusterAccess, wanted: Wanted) -> _Found:
    session = await connect(kubeconfig=cluster.kubeconfig, context=cluster.context)
    async with session:
        pods = await running_pods(session, cluster.namespace)
        warnings = list[str]()
        scaled, unscaled = await _scaled(session, cluster.namespace)
        rates, unpriced = await _rates(session, wanted)
        warnings += [*unscaled, *unpriced]
        return _Found(pods, scaled, rates, tuple(warnings))


async def _scaled(session: KubernetesSession, namespace: str | None) -> tuple[dict[Named, Scaled], list[str]]:
    try:
        found = await read_autoscalers(session, Discovery(session, SystemClock()), namespace)
    except ForesailError as error:
        return {}, [f"whether a count follows a size is not known, for autoscalers cannot be read: {error}"]
    return {Named(each.namespace, each.target_kind, each.target_name): _scaled_by(each) for each in found}, []


def _scaled_by(autoscaler: Autoscaler) -> Scaled:
    followed = [
        _SIGNALS[metric.resource]
        for metric in autoscaler.metrics
        if isinstance(metric, ResourceMetric) and metric.target_ratio is not None and metric.resource in _SIGNALS
    ]
    return Scaled(min(followed, default=Signal.FREE), autoscaler.max_replicas, str(autoscaler))


async def _rates(session: KubernetesSession, wanted: Wanted) -> tuple[Rates, list[str]]:
    try:
        nodes = await read_nodes(session)
    except ForesailError as error:
        return Rates(wanted.currency, {}), [f"nothing has a price, for nodes cannot be read: {error}"]
    return rates_of(nodes, wanted.prices, PricesWanted(wanted.currency, wanted.end_s, STALE_AFTER_S)), []


def _kills(workloads: Sequence[Workload]) -> Kills:
    containers = [container for each in workloads for container in each.containers]
    at_s = [np.nan if each.oom_at_s is None else each.oom_at_s for each in containers]
    return Kills(np.array(at_s), np.array([(each.requests.memory_milli or 0) / 1000 for each in containers]))

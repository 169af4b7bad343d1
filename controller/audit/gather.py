"""From a Prometheus, and a cluster where there is one, to cases to audit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.autoscalers import read_autoscalers
from controller.adapters.kubernetes.discovery import Discovery
from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.audit.cases import Assumptions, case_of
from controller.audit.found import told_by_metrics
from controller.audit.reading import Reader
from controller.clients.kubernetes import connect
from controller.clock import SystemClock
from controller.errors import ForesailError, Rejected, Unavailable
from controller.records import SignalQuery
from simulations.audit.autoscaler import About, Finding
from simulations.audit.case import Case
from simulations.audit.document import Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from controller.clients.http import HttpAccess
    from simulations.audit.autoscaler import Autoscaler
    from simulations.audit.verdict import Passed


ANYTHING = SignalQuery("vector(1)")


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """How autoscalers and pods are listed. With `use` off, kube-state-metrics alone tells of them."""

    use: bool = True
    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None  # None: in all


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read and what to assume."""

    end_s: float
    days: int
    budget: Budget
    cluster: ClusterAccess
    assumed: Assumptions


@dataclass(frozen=True, slots=True)
class Gathered:
    """What there is to audit, wherever it came from."""

    source: str
    cases: Sequence[Case]
    passed: Sequence[Passed] = ()
    findings: Sequence[Finding] = ()
    spent: Spent = field(default_factory=Spent)


async def gather(access: HttpAccess, wanted: Wanted, told: Callable[[str], None]) -> Gathered:
    """Read everything; `told` is told what is being done. Raises ForesailError, such as when nothing is to be found."""
    async with MeteredPrometheus(access, wanted.budget) as prometheus:
        told("looking for autoscalers")
        await _reached(prometheus, wanted.end_s)
        scaled, findings = await _autoscalers(prometheus, wanted)
        if not scaled:
            raise Rejected(_nothing(wanted, findings))
        read = await Reader(prometheus, wanted.end_s, wanted.days, told).read(scaled)
        made = [case_of(each, wanted.assumed) for each in read.reads]
        return Gathered(
            source=f"Prometheus at {access.url}",
            cases=[each for each in made if isinstance(each, Case)],
            passed=[*read.passed, *(each for each in made if not isinstance(each, Case))],
            findings=[*findings, *read.findings],
            spent=Spent(prometheus.queries, prometheus.query_s, most_queries=wanted.budget.queries),
        )


async def _reached(prometheus: MeteredPrometheus, at_s: float) -> None:
    """Ask something that every Prometheus can answer, before anything else is read. Raises Unavailable and Rejected."""
    try:
        await prometheus.now(ANYTHING, at_s=at_s)
    except Unavailable as error:
        raise Unavailable(f"{error}; check --prometheus-url and the other --prometheus-... options") from error


async def _autoscalers(prometheus: MeteredPrometheus, wanted: Wanted) -> tuple[Sequence[Autoscaler], list[Finding]]:
    """From the cluster, or from kube-state-metrics where that cannot be read, and why."""
    cluster = wanted.cluster
    why = "--no-cluster"
    if cluster.use:
        try:
            return await _listed(cluster), []
        except ForesailError as error:
            if cluster.kubeconfig is not None or cluster.context is not None:
                raise type(error)(f"{error} (or --no-cluster, to do without the cluster)") from error
            why = str(error)
    words = (
        f"autoscalers were read from kube-state-metrics, not from the cluster ({why}): queries of KEDA triggers,"
        " containers, selectors of metrics and behavior are not known that way"
    )
    found = await told_by_metrics(prometheus, cluster.namespace, at_s=wanted.end_s)
    return found, [Finding(About.ACCESS, words)]


async def _listed(cluster: ClusterAccess) -> Sequence[Autoscaler]:
    session = await connect(kubeconfig=cluster.kubeconfig, context=cluster.context)
    async with session:
        return await read_autoscalers(session, Discovery(session, SystemClock()), cluster.namespace)


def _nothing(wanted: Wanted, findings: Sequence[Finding]) -> str:
    where = "any namespace" if wanted.cluster.namespace is None else f"namespace {wanted.cluster.namespace}"
    words = f"no HorizontalPodAutoscaler and no ScaledObject found in {where}"
    if findings:
        words += (
            "; without access to the cluster they are found by kube_horizontalpodautoscaler_info, which this"
            f" Prometheus must hold now ({findings[0].message})"
        )
    return f"{words}; to audit a load without an autoscaler, use --load FILE"

"""All checks, each on its own: one that cannot be made is a finding, and the others go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes import ClusterSettings, KillSwitchPlace, KubernetesCluster
from controller.adapters.kubernetes.discovery import Unscalable
from controller.adapters.policy_files import PolicyFiles
from controller.adapters.prometheus import PrometheusSource
from controller.clients.access import prometheus_access
from controller.clients.kubernetes import ApiFailure, connect
from controller.clock import SystemClock
from controller.collect.questions import surge_of, target_of
from controller.doctor.cluster import examine_server, examine_targets, examine_vertical
from controller.doctor.finding import Finding, Severity
from controller.doctor.own import examine_daemon, examine_journal, examine_packages, examine_policies
from controller.doctor.prices import examine_prices
from controller.doctor.prometheus import examine_prometheus
from controller.doctor.published import examine_published
from controller.doctor.rights import Account, examine_rights, needs_of
from controller.doctor.signals import examine_signals, examine_written
from controller.errors import ForesailError
from controller.publish import Content
from controller.publishers import links_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from controller.clients.kubernetes import KubernetesSession
    from controller.records import PolicySet
    from controller.settings import Settings

_WATCHES_S = 15.0  # until every watch has been listed or refused
_LEFT_OUT = "What it looks at was not seen."


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look at: an installation by its settings, the namespace it lives in, its daemon, and whose rights."""

    settings: Settings
    own_namespace: str
    daemon_url: str
    account: Account = Account()  # noqa: RUF009 - frozen


async def examine(asked: Asked) -> list[Finding]:
    """Everything that can be looked at, the worst first."""
    settings = asked.settings
    policies = await PolicyFiles(settings.policies).read()
    content = Content(links_of(settings), policies.policies)
    parts = await asyncio.gather(
        _whole("prometheus", settings.prometheus_url, _of_prometheus(settings, content)),
        _whole("published", "dashboards", examine_published(settings, content, asked.own_namespace)),
        _whole("policies", "lint", examine_written(policies, prometheus_access(settings))),
        _whole("kubernetes", "API server", _of_cluster(asked, policies)),
        _whole("journal", "database", examine_journal(settings)),
        _whole("daemon", asked.daemon_url, examine_daemon(asked.daemon_url)),
    )
    order = list(Severity)
    own = (
        *examine_policies(policies),
        *examine_prices(settings.policies, SystemClock().now_s()),
        *examine_packages(),
    )
    found = [*own, *(each for part in parts for each in part)]
    return sorted(found, key=lambda each: order.index(each.severity))


async def _whole(check: str, about: str, look: Awaitable[Iterable[Finding]]) -> list[Finding]:
    try:
        return list(await look)
    except (ForesailError, ApiFailure, Unscalable) as error:
        return [Finding(check, Severity.ERROR, about, f"cannot be checked: {error}", _LEFT_OUT, "See the message.")]


async def _of_prometheus(settings: Settings, content: Content) -> list[Finding]:
    return await examine_prometheus(prometheus_access(settings), await asyncio.to_thread(content.rule_groups))


async def _of_cluster(asked: Asked, policies: PolicySet) -> list[Finding]:
    settings = asked.settings
    async with await connect(kubeconfig=settings.kubeconfig, context=settings.context) as session:
        found = await examine_server(session)
        if found[0].severity is not Severity.OK:
            return found
        parts = await asyncio.gather(
            _whole("targets", "cluster", _seen(asked, policies, session)),
            _whole("vertical", "cluster", examine_vertical(session, policies.policies)),
        )
        return [*found, *(each for part in parts for each in part)]


async def _seen(asked: Asked, policies: PolicySet, session: KubernetesSession) -> list[Finding]:
    """What shows once the cluster is watched as the daemon watches it: targets, rights, signals, and its clock."""
    settings, clock = asked.settings, SystemClock()
    place = KillSwitchPlace(asked.own_namespace, settings.kill_switch_configmap, settings.kill_switch_file)
    async with KubernetesCluster(session, clock, ClusterSettings(kill_switch=place)) as cluster:
        refs = [ref for each in policies.policies for ref in (target_of(each), surge_of(each)) if ref is not None]
        await cluster.follow(refs, nodes=any(each.spec.placement for each in policies.policies))
        await cluster.synced(within_s=_WATCHES_S)
        view = cluster.view()
        rights = _rights(asked, policies, session, cluster)
        async with PrometheusSource(prometheus_access(settings)) as source:
            signals = examine_signals(
                policies, source, view, at_s=clock.now_s(), deadline_s=settings.prometheus_timeout_s
            )
            parts = await asyncio.gather(
                _whole("permissions", "account", rights), _whole("signals", "signals", signals)
            )
        return [*examine_targets(policies.policies, view), *(each for part in parts for each in part)]


async def _rights(
    asked: Asked, policies: PolicySet, session: KubernetesSession, cluster: KubernetesCluster
) -> Sequence[Finding]:
    kill_switch = asked.settings.kill_switch_configmap
    needs = await needs_of(policies.policies, cluster.discovery, asked.own_namespace, kill_switch)
    return await examine_rights(session, needs, asked.account)

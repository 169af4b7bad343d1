"""Where dashboards and rules go: settings become publishers, and the webhook's receiver."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from alerts.rule import Links
from controller.adapters.kubernetes.published import (
    PublishedObject,
    dashboards_place,
    prometheus_rule_place,
    rules_place,
)
from controller.adapters.published_files import PublishedFiles
from controller.adapters.webhook import Webhook
from controller.clients.http import HttpAccess, HttpClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from controller.clients.kubernetes import KubernetesSession
    from controller.ports import Clock, Publisher
    from controller.publish import Content
    from controller.settings import Settings

GRAFANA_TOKEN = "FORESAIL_GRAFANA_TOKEN"  # noqa: S105 - the variable's name
_WEBHOOK_S = 10.0
_DASHBOARDS = ("grafana", "dashboard_configmap", "dashboard_files")  # names of targets
_CATALOGUE = "catalogue"  # the version of what no policy changes


def links_of(settings: Settings) -> Links:
    """Where what is published points to."""
    return Links(runbooks=settings.runbook_url, grafana=settings.dashboard_url or "")


def version_of(target: str, policies: str) -> str:
    """What the content of a target is rendered from: dashboards depend on no policy, rules may.

    `policies` tells which of them may have rules (`Answered.version`), empty while that is not known.
    """
    return _CATALOGUE if target in _DASHBOARDS else policies


def in_cluster(
    settings: Settings, content: Callable[[], Content], session: KubernetesSession, own_namespace: str
) -> Iterator[Publisher]:
    """Those that write objects of the cluster."""
    namespace = settings.publish_namespace or own_namespace
    labels = {"release": settings.publish_release} if settings.publish_release else {}
    if settings.publish_dashboards == "configmap":
        place = dashboards_place(namespace)
        yield PublishedObject(session, "dashboard_configmap", place, lambda: content().compact_dashboards())
    if settings.publish_rules == "configmap":
        place = rules_place(namespace, labels)
        yield PublishedObject(session, "rule_configmap", place, lambda: content().rule_files())
    if settings.publish_rules == "prometheusrule":
        place = prometheus_rule_place(namespace, labels)
        yield PublishedObject(session, "prometheus_rule", place, lambda: {"groups": content().rule_groups()})


def grafana(settings: Settings, content: Callable[[], Content]) -> Iterator[Publisher]:
    """The one that speaks to Grafana. Its library is imported where there is one alone."""
    if settings.grafana_url is None:
        return
    from controller.adapters.grafana import GrafanaAccess, GrafanaDashboards  # noqa: PLC0415 - loads a second HTTP stack

    access = GrafanaAccess(
        settings.grafana_url,
        token_file=settings.grafana_token_file,
        token=os.environ.get(GRAFANA_TOKEN, ""),
        ca_file=settings.grafana_ca_file,
        organization=settings.grafana_organization,
        folder=settings.grafana_folder,
    )
    yield GrafanaDashboards(access, lambda: content().dashboards())


@asynccontextmanager
async def files(settings: Settings, content: Callable[[], Content]) -> AsyncIterator[tuple[Publisher, ...]]:
    """Those that keep files, dashboards first."""
    folder, reload_url = settings.publish_dir, settings.publish_reload_url
    if folder is None:
        yield ()
        return
    prometheus = HttpClient(HttpAccess(reload_url)) if reload_url else None
    try:
        yield (
            PublishedFiles("dashboard_files", folder, lambda: content().dashboard_files()),
            PublishedFiles("rule_files", folder, lambda: content().rule_files(), prometheus),
        )
    finally:
        if prometheus is not None:
            await prometheus.close()


@asynccontextmanager
async def webhook(settings: Settings, clock: Clock) -> AsyncIterator[Webhook | None]:
    """The receiver of messages, where one is named. Raises ForesailError when its URL cannot be used."""
    if settings.webhook_url is None:
        yield None
        return
    access = HttpAccess(
        settings.webhook_url,
        timeout_s=_WEBHOOK_S,
        bearer_file=settings.webhook_bearer_token_file,
        ca_file=settings.webhook_ca_file,
    )
    async with HttpClient(access, connections=1) as client:
        yield Webhook(client, clock, settings.webhook_secret_file)

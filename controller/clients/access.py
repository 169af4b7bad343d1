"""How the servers that the settings name are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.clients.http import HttpAccess

if TYPE_CHECKING:
    from controller.settings import Settings


def prometheus_access(settings: Settings) -> HttpAccess:
    """Address, credentials and TLS of Prometheus. Raises ForesailError when they contradict each other."""
    return HttpAccess(
        url=settings.prometheus_url,
        timeout_s=settings.prometheus_timeout_s,
        bearer_file=settings.prometheus_bearer_token_file,
        user=settings.prometheus_username,
        password_file=settings.prometheus_password_file,
        ca_file=settings.prometheus_ca_file,
        cert_file=settings.prometheus_client_cert_file,
        key_file=settings.prometheus_client_key_file,
        headers={"X-Scope-OrgID": settings.prometheus_tenant} if settings.prometheus_tenant else {},
        verify=not settings.prometheus_insecure_skip_verify,
    )

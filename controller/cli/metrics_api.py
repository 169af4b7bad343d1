"""`foresail metrics-api`: the recommendations as an external metric for HPAs, until it is told to stop."""

import asyncio

import typer

from controller.cli.exits import INTERRUPTED
from controller.cli.flags import loaded, with_settings
from controller.cli.stopping import until_told
from controller.settings import catalogue

_SETTINGS = ("kubeconfig", "context", "log_level", "log_format")


@with_settings(each for each in catalogue() if each.name in _SETTINGS or each.name.startswith("metrics_api_"))
def metrics_api(command: typer.Context, **flags: object) -> None:
    """Serve foresail_recommended_replicas as external.metrics.k8s.io, for clusters without a metrics adapter.

    It reads a running daemon and answers the API server alone, which aggregates it (deploy/metrics-api.yaml). What is
    held or no longer fresh is an error, with which an HPA raises by its other metrics alone and does not lower.
    """
    from controller.logging import configure
    from controller.metrics_api import run_metrics_api

    if flags.get("log_level") is None:
        flags["log_level"] = command.obj
    settings = loaded(flags).settings
    configure(settings.log_level, settings.log_format)
    if asyncio.run(until_told(lambda stop: run_metrics_api(settings, stop=stop))):
        raise typer.Exit(INTERRUPTED)

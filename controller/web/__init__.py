"""The daemon's own HTTP: /metrics, the probes and the API, all read-only."""

from controller.web.app import Check, Views, heartbeat, serving, web_app

__all__ = ["Check", "Views", "heartbeat", "serving", "web_app"]

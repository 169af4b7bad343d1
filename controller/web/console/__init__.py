"""The console: the daemon's own pages, which need neither Prometheus nor Grafana, and no JavaScript."""

from controller.web.console.half_hour import HalfHour
from controller.web.console.routes import routes
from controller.web.console.shell import Shell, errors

__all__ = ["HalfHour", "Shell", "errors", "routes"]

"""Grafana dashboards, rendered from the signal catalogue in `policies.signals`."""

"""Prometheus alert and recording rules, rendered from the signal catalogue in `policies.signals`."""

"""Tests against real servers: Prometheus, PostgreSQL and a Kubernetes API server."""

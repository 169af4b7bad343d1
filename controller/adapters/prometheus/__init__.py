"""The metrics source on Prometheus and on what speaks its HTTP API (Thanos, Mimir, VictoriaMetrics)."""

from controller.adapters.prometheus.source import Allowance, PrometheusSource

__all__ = ["Allowance", "PrometheusSource"]

"""The reading half of `foresail audit`: autoscalers, and their past from Prometheus, as cases for the audit."""

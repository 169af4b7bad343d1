"""Reads what a workload served, and how fast, from Prometheus for `foresail calibrate`."""

"""Committed, on-demand and spot capacity: how many replicas run on which."""

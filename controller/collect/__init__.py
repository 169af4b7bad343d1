"""From answers of the sources to one immutable Observation."""

from controller.collect.collector import Collector

__all__ = ["Collector"]

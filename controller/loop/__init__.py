"""The loop: observe, decide, act, record, once a tick and never two at a time."""

from controller.loop.loop import Loop, Pace, Parts
from controller.loop.recall import Recall, recalled

__all__ = ["Loop", "Pace", "Parts", "Recall", "recalled"]

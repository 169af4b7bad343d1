"""Decisions, holds and what goes wrong, told to a receiver outside: what is news in a tick, and a queue for it."""

from controller.notify.delivery import Delivery
from controller.notify.news import News

__all__ = ["Delivery", "News"]

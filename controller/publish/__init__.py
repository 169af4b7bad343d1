"""Dashboards and rules kept as rendered in every place that is named, beside the loop and never in a tick's way."""

from controller.publish.answered import Answered
from controller.publish.content import Content, groups_of
from controller.publish.digest import digest_of
from controller.publish.keeping import FAILED, Publishing

__all__ = ["FAILED", "Answered", "Content", "Publishing", "digest_of", "groups_of"]

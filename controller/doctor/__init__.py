"""Checks of an installation: what is wrong with it, what that means, and the mend."""

from controller.doctor.examine import Asked, examine
from controller.doctor.finding import Finding, Severity

__all__ = ["Asked", "Finding", "Severity", "examine"]

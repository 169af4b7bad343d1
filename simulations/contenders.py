"""Policies that are put side by side, as users name them: `predictive`, `reactive`, `kpa`, `hpa:0.70`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies import kpa
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.behavior import Behavior

TOLERANCE_RATIO = 0.1
WINDOW_S = 300.0
_LONGEST_WINDOW_S = 3600.0  # that autoscaling/v2 takes
_HPA = re.compile(r"hpa:(?P<target>\d+(?:\.\d+)?)(?P<options>(?:,[a-z]+=[^,=]+)*)")
_KPA = re.compile(r"kpa(?::(?P<target>\d+(?:\.\d+)?))?")


class ContenderError(ValueError):
    """A policy that nobody knows; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Hpa:
    """The Kubernetes rule at a target share of a replica's capacity."""

    text: str
    target_ratio: float
    tolerance_ratio: float = TOLERANCE_RATIO
    window_s: float = WINDOW_S  # stabilisation of falls
    written: Behavior | None = None  # a behavior, in place of tolerance and window


@dataclass(frozen=True, slots=True)
class Kpa:
    """Knative's autoscaler at a target share of a replica's capacity."""

    text: str
    target_ratio: float = kpa.TARGET_RATIO


@dataclass(frozen=True, slots=True)
class Daemon:
    """What the daemon decides: with its models, or with a scale of recent changes alone."""

    text: str
    forecast: bool = True


Contender = Hpa | Kpa | Daemon


def parse_contender(text: str) -> Contender:
    """Read ``predictive``, ``reactive``, ``kpa``, ``kpa:0.70`` or ``hpa:0.70``.

    As in ``hpa:0.70,tolerance=0.05,window=60s`` the last takes options. Raises ContenderError.
    """
    if text in ("predictive", "reactive"):
        return Daemon(text, forecast=text == "predictive")
    if (found := _KPA.fullmatch(text)) and 0 < (target := float(found["target"] or kpa.TARGET_RATIO)) <= 1:
        return Kpa(text, target)
    if (found := _HPA.fullmatch(text)) and 0 < (target := float(found["target"])) <= 1:
        return _hpa(text, target, _options(text, found["options"]))
    raise ContenderError(
        f"policy {text!r} is neither predictive, reactive, kpa[:TARGET] nor hpa:TARGET[,tolerance=0.1][,window=300s] "
        "with a target share of capacity above 0 and up to 1, as in hpa:0.70"
    )


def _options(text: str, given: str) -> dict[str, str]:
    pairs = [option.split("=") for option in given.split(",") if option]
    names = [name for name, _ in pairs]
    wrong = [name for name in names if name not in ("tolerance", "window") or names.count(name) > 1]
    if wrong:
        raise ContenderError(f"policy {text!r}: {wrong[0]}: hpa takes the options tolerance and window, each once")
    return dict(pairs)


def _hpa(text: str, target_ratio: float, options: Mapping[str, str]) -> Hpa:
    tolerance, window_s = options.get("tolerance", str(TOLERANCE_RATIO)), WINDOW_S
    if not re.fullmatch(r"\d+(?:\.\d+)?", tolerance):
        raise ContenderError(f"policy {text!r}: tolerance must be a number from 0 on, as in 0.1, not {tolerance!r}")
    if "window" in options:
        try:
            window_s = parse_duration_s(options["window"])
        except ValueError as error:
            raise ContenderError(f"policy {text!r}: window {error}") from error
    if window_s > _LONGEST_WINDOW_S:
        raise ContenderError(f"policy {text!r}: window must be at most 1h, not {options['window']}")
    return Hpa(text, target_ratio, float(tolerance), window_s)

"""Policies for spot and on-demand replicas, as users name them: `foresail`, `skyserve:base=1,over=1`, `on-demand`."""

from __future__ import annotations

import re
from dataclasses import dataclass

FORESAIL, SKYSERVE, ON_DEMAND = 0, 1, 2  # codes of compiled loops
_CODES = {"foresail": FORESAIL, "skyserve": SKYSERVE, "on-demand": ON_DEMAND}
_OPTION = re.compile(r"(base|over)=(\d{1,6})")


class SpotContenderError(ValueError):
    """A policy that nobody knows; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy by its code; SkyServe's has on-demand replicas at the base and spot replicas to spare."""

    text: str
    code: int
    base: int = 0
    over: int = 0


def parse_contender(text: str) -> Contender:
    """Read ``foresail``, ``on-demand``, ``skyserve`` or ``skyserve:base=1,over=1``. Raises SpotContenderError."""
    name, colon, rest = text.partition(":")
    options = [_OPTION.fullmatch(each) for each in rest.split(",")] if colon else []
    found = {each[1]: int(each[2]) for each in options if each}
    if name not in _CODES or len(found) != len(options) or (options and name != "skyserve"):
        raise SpotContenderError(
            f"policy {text!r} is neither foresail, on-demand nor skyserve[:base=REPLICAS][,over=REPLICAS]"
        )
    return Contender(text, _CODES[name], found.get("base", 0), found.get("over", 0))

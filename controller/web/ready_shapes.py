"""The parts of what the API says of how ready a workload is. What is not known is null."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class ReadinessCriterion(TypedDict):
    """One criterion; `value` and its bound are null where it is no number, or not known. What is met needs no mend."""

    name: str
    ok: bool
    value: float | None
    atLeast: float | None
    atMost: float | None
    sentence: str
    mend: str


class ReadinessStep(TypedDict):
    """The criteria of going to a mode, and whether all are met."""

    to: Literal["floor", "active"]
    ready: bool
    criteria: list[ReadinessCriterion]


class Savings(TypedDict):
    """Replicas fewer than the autoscaler in place would take on the same load, of about a week; negative: more.

    `lateRatio` is what really came late by what was ready, in shadow by what was ordered, of about two weeks. `perHour`
    is by the policy's price, null without one.
    """

    replicas: float
    ratio: float | None
    perHour: float | None
    lateRatio: float
    incumbentLateRatio: float

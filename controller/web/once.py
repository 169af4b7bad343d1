"""Figures of a whole tick, made for the first question about it and kept for the others."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
T = TypeVar("T")


def once(make: Callable[[S], T]) -> Callable[[S], T]:
    """`make`, whose last answer is kept for as long as it is asked about the very same object.

    What it answers is shared, between threads too, and must not be written to.
    """
    kept: list[tuple[S, T]] = []

    @wraps(make)
    def found(subject: S) -> T:
        for known, answer in kept:
            if known is subject:
                return answer
        answer = make(subject)
        kept[:] = [(subject, answer)]
        return answer

    return found

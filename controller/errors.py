"""The three ways in which the outside can fail, named by what to do next."""

from __future__ import annotations


class ForesailError(Exception):
    """An error whose message is meant for the user: place, value and mend."""


class Unavailable(ForesailError):
    """A server did not answer, or answered nonsense. Retry at the next tick."""


class Conflict(ForesailError):
    """Somebody else changed the object. Read it again and retry now."""


class Rejected(ForesailError):
    """The server understood and refused. Do not retry; tell somebody."""

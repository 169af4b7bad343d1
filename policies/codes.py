"""Codes in arrays: enumerations that NumPy takes as quickly as plain integers."""

from __future__ import annotations

from enum import EnumType, IntEnum
from functools import cache
from typing import Any


class _Direct(EnumType):
    """Makes members plain attributes of their class.

    Python 3.11 finds them through `EnumType.__getattr__`, which NumPy calls as well, several times for every operand:
    `array == Status.FRESH` takes 10 us so and 2 us this way. Later versions of Python do as this class does.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: Any, **options: Any) -> _Direct:  # noqa: ANN401 - as EnumType has it
        """Make the enumeration, then its attributes."""
        made = super().__new__(cls, name, bases, namespace, **options)
        members: dict[str, object] = dict(made.__members__)
        for member_name, member in members.items():
            type.__setattr__(made, member_name, member)
        return made

    __getattr__ = type.__getattribute__


class Code(IntEnum, metaclass=_Direct):
    """Base of the codes that stand in arrays."""


@cache
def word_of(kind: type[Code], code: int) -> str:
    """The name of a code in lower case, found in a tenth of the time of `kind(code).name.lower()`.

    Raises ValueError where `kind` has no such code.
    """
    return kind(code).name.lower()


class Select(Code):
    """`selectPolicy` of autoscaling/v2."""

    MAX = 0
    MIN = 1
    DISABLED = 2

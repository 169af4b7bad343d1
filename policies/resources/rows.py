"""Rows of states of arrays: put in another order, and taken over from another state, a field at a time."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from policies.arrays import IntArray


def in_order(state: object, empty: object, rows: IntArray, *, but: Collection[str] = ()) -> None:
    """Have these rows of every array of a dataclass, in this order; -1 is a row as the only one of `empty`.

    One array is remade at a time, so that a large state is never there twice. Arrays named in `but` have no rows.
    """
    new = rows < 0
    for name, held, blank in _arrays(state, empty, but):
        if isinstance(held, np.ndarray) and isinstance(blank, np.ndarray):
            made = np.empty((rows.size, *held.shape[1:]), held.dtype)
            if held.shape[0]:
                np.take(held, rows, axis=0, out=made, mode="clip")
            made[new] = blank[0]
            setattr(state, name, made)
        else:
            in_order(held, blank, rows, but=but)


def placed(state: object, part: object, rows: IntArray, *, but: Collection[str] = ()) -> None:
    """Put the rows of a smaller state of the same kind in the place of these."""
    for _, held, mine in _arrays(state, part, but):
        if isinstance(held, np.ndarray):
            held[rows] = mine
        else:
            placed(held, mine, rows, but=but)


def _arrays(state: object, other: object, but: Collection[str]) -> Iterator[tuple[str, object, object]]:
    """The arrays of two dataclasses of a kind, and the dataclasses in them."""
    if not is_dataclass(state):
        raise TypeError(f"{type(state).__name__} is no dataclass of arrays")
    for field in fields(state):
        mine, others = getattr(state, field.name), getattr(other, field.name)
        if field.name not in but and (isinstance(mine, np.ndarray) or is_dataclass(mine)):
            yield field.name, mine, others

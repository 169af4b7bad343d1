"""Loops that are compiled: how a function becomes machine code, and where that is kept between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

Loop = TypeVar("Loop", bound="Callable[..., object]")


def compiled(loop: Loop) -> Loop:
    """Compile a function over arrays with Numba, at its first call for these types. Other threads go on while it runs.

    What was compiled is kept beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR). Where neither
    can be written to, as in a read-only image, each process compiles for itself. Numba looks for changes in the file
    of the function alone, so a compiled function calls others of its own file only.
    """
    try:
        return cast("Loop", njit(cache=True, nogil=True)(loop))
    except RuntimeError:  # no folder to keep it in
        return cast("Loop", njit(loop, nogil=True))

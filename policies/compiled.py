"""Loops that are compiled: how a function becomes machine code, and where that is kept between runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Loop = TypeVar("Loop", bound="Callable[..., object]")


def compiled(loop: Loop) -> Loop:
    """Compile a function over arrays with Numba, at its first call for these types. Other threads go on while it runs.

    What was compiled is kept beside the source, else in the user's cache folder (or in NUMBA_CACHE_DIR). Where neither
    can be written to, as in a read-only image, each process compiles for itself. Numba looks for changes in the file
    of the function alone: one that calls compiled functions of other files is compiled by `compiled_with`.
    """
    try:
        return cast("Loop", njit(cache=True, nogil=True)(loop))
    except RuntimeError:  # no folder to keep it in
        return cast("Loop", njit(loop, nogil=True))


def compiled_with(*modules: ModuleType) -> Callable[[Loop], Loop]:
    """As `compiled`, for a function that takes compiled functions or constants from these modules of the project.

    What was kept is used as long as neither its own file nor one of theirs changed.
    """

    def made(loop: Loop) -> Loop:
        machine = compiled(loop)
        kept = getattr(getattr(machine, "_cache", None), "_cache_file", None)
        if kept is not None:  # Numba has no public way to say what else a function depends on
            kept._source_stamp = (kept._source_stamp, *map(_stamp, modules))  # noqa: SLF001
        return machine

    return made


def _stamp(module: ModuleType) -> tuple[float, int]:
    found = Path(str(module.__file__)).stat()
    return found.st_mtime, found.st_size

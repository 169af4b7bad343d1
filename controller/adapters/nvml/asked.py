"""Questions that a GPU or its driver may not know: the answer, or the reason by the name of the quantity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import pynvml

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_REASONS = {
    pynvml.NVML_ERROR_NOT_SUPPORTED: "not_supported",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "no_function",
    pynvml.NVML_ERROR_NO_PERMISSION: "no_permission",
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH: "no_function",
    pynvml.NVML_ERROR_DEPRECATED: "no_function",
    pynvml.NVML_ERROR_INVALID_ARGUMENT: "not_supported",
    pynvml.NVML_ERROR_GPU_IS_LOST: "lost",
    pynvml.NVML_ERROR_RESET_REQUIRED: "reset_required",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no_library",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "no_driver",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver_mismatch",
    pynvml.NVML_ERROR_UNINITIALIZED: "no_driver",
}
_DOWN = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED)
_NOTHING_NOW = (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_NO_DATA, pynvml.NVML_ERROR_NOT_READY)
_OF_DRIVER = (
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
)


class DeviceDownError(Exception):
    """The GPU is lost or must be reset; the text is the reason."""


def reason_of(error: pynvml.NVMLError) -> str:
    """An error as one word of the label `reason`."""
    return _REASONS.get(error.value, f"error_{error.value}")


def is_of_driver(error: pynvml.NVMLError) -> bool:
    """Whether no GPU can be read any more until the library is opened again."""
    return error.value in _OF_DRIVER


@dataclass(slots=True)
class Asked:
    """What was asked of one device and could not be had: the reason by quantity."""

    unsupported: dict[str, str] = field(default_factory=dict)

    def of(self, quantity: str, question: Callable[[], T]) -> T | None:
        """The answer, or None: with the reason kept, unless there is only no data just now.

        Raises DeviceDownError when the GPU is gone, pynvml.NVMLError when the driver is.
        """
        try:
            return question()
        except pynvml.NVMLError as error:
            if error.value in _DOWN:
                raise DeviceDownError(reason_of(error)) from error
            if is_of_driver(error):
                raise
            if error.value not in _NOTHING_NOW:
                self.unsupported[quantity] = reason_of(error)
            return None

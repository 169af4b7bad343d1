"""The child process: `python -m controller.adapters.nvml.child` reads once for each line it gets, until its input ends.

It answers each line with one `Reading` as JSON. When the driver cannot be read any more it says why, lets go and ends.
"""

import ctypes
import signal
import sys

import pynvml

from controller.adapters.nvml.asked import reason_of
from controller.adapters.nvml.driver import Driver
from controller.adapters.nvml.reading import Reading

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> int:
    """Serve; returns the exit status: 0 when the input ended, 1 when the driver failed."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, driver = sys.stdout.buffer, None
    try:
        driver = Driver()
        for _ in sys.stdin.buffer:
            answers.write(driver.read().line())
            answers.flush()
    except pynvml.NVMLError as error:
        answers.write(Reading(failed=reason_of(error), message=str(error)).line())
        answers.flush()
        return 1
    finally:
        if driver is not None:
            _let_go(driver)
    return 0


def _let_go(driver: Driver) -> None:
    try:
        driver.close()
    except pynvml.NVMLError as error:
        sys.stderr.write(f"NVML did not shut down: {error}\n")


if __name__ == "__main__":
    sys.exit(main())

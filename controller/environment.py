"""What can be wrong with the libraries that this process runs on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import urllib3

_FORK = "urllib3-future"
_MEND = f"install from requirements.lock with `make setup`, or build {_FORK} from source with URLLIB3_NO_OVERRIDE=1"


def urllib3_problem() -> str | None:
    """Why `urllib3` is not the library of that name, and the mend; None where it is.

    The fork that Grafana's client needs replaces it for the whole process when installed as a wheel: by its files,
    and by a .pth that puts them back at each start of the interpreter.
    """
    installed = distribution("urllib3")
    imported_as = str(vars(urllib3)["__version__"])
    if imported_as != installed.version:
        return f"urllib3 is installed as {installed.version} and imports as {imported_as}, a fork; {_MEND}"
    imported = Path(urllib3.__file__).resolve()
    if imported != Path(str(installed.locate_file("urllib3/__init__.py"))).resolve():
        return f"urllib3 is imported from {imported}, which its installation does not know; {_MEND}"
    hooks = _hooks()
    return (
        f"{_FORK} has put {', '.join(hooks)} there, which replaces urllib3 at every start; {_MEND}" if hooks else None
    )


def _hooks() -> list[str]:
    """The .pth files of the fork, and any other that speaks of it."""
    try:
        fork = distribution(_FORK)
    except PackageNotFoundError:
        return []
    site = Path(str(fork.locate_file("")))
    return sorted(path.name for path in site.glob("*.pth") if "urllib3" in f"{path.name} {path.read_text()}")

"""The repository as the architecture tests read it: tracked files, modules and their syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("alerts", "controller", "dashboards", "policies", "simulations")


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: its path below the repository, its dotted name and its syntax tree."""

    path: Path
    name: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Dotted names that the module imports, wherever in it; `from a import b` counts as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files that are or will be in the repository, relative to it: tracked ones and new ones not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    names = sorted(set(filter(None, listing.stdout.split("\0"))))
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Every Python module under the folders; under all packages without one."""
    wanted = folders or PACKAGES
    return tuple(
        Module(
            path, ".".join(path.with_suffix("").parts).removesuffix(".__init__"), ast.parse((ROOT / path).read_text())
        )
        for path in tracked_files()
        if path.suffix == ".py" and path.parts[0] in wanted
    )


def under(name: str, *prefixes: str) -> bool:
    """Whether a dotted name is one of the prefixes or stands below it."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)

"""The YAML files that a command names: files, folders of them, and stdin."""

import sys
from pathlib import Path

from controller.policy_text import file_text, policy_files
from policies.problems import PolicyError, Problem

STDIN = Path("-")


def texts_of(path: Path) -> list[tuple[str, str]]:
    """Source and text of each YAML file of a path, or of stdin. Raises PolicyError for what cannot be read."""
    if path == STDIN:
        return [("stdin", sys.stdin.read())]
    try:
        files = policy_files(path)
    except OSError as error:
        raise PolicyError([Problem(str(path), "", f"cannot be read: {error.strerror or error}")]) from error
    if not files:
        raise PolicyError([Problem(str(path), "", "is a folder without .yaml or .yml files")])
    texts: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            texts.append((str(file), file_text(file)))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return texts

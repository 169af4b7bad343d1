"""Policies and budgets as YAML text: from a string, a file or a folder of files."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from policies.documents import Documents, documents_from
from policies.problems import PolicyError, Problem
from policies.spec import WorkloadPolicy, duplicates

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: type[yaml.SafeDumper | yaml.CSafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_SUFFIXES = frozenset({".yaml", ".yml"})
_MERGE = "tag:yaml.org,2002:merge"


def parse_policies(text: str, *, source: str) -> tuple[WorkloadPolicy, ...]:
    """The policies of a text; see `parse_documents`."""
    return parse_documents(text, source=source).policies


def parse_documents(text: str, *, source: str) -> Documents:
    """Parse every policy and budget of a YAML text of one or more documents; empty documents are skipped.

    Raises:
        PolicyError: with every problem of the text; after a fault of syntax the rest of the text is unread.
    """
    documents, problems = yaml_documents(text, source)
    found = Documents()
    try:
        found = documents_from(documents, source=source)
    except PolicyError as error:
        problems += error.problems
    if problems:
        raise PolicyError(problems)
    return found


def policy_texts(policies: Iterable[WorkloadPolicy]) -> dict[str, str]:
    """Each policy as YAML, by its uid; a quarter of a millisecond each."""
    return {each.uid: yaml.dump(each.document(), Dumper=_DUMPER, sort_keys=False) for each in policies}


def load_policies(path: Path) -> tuple[WorkloadPolicy, ...]:
    """Read the policies of a file, or of a folder's `.yaml` and `.yml` files in the order of their names.

    Files whose name begins with a dot are left alone, as are the dot folders in which a mounted ConfigMap keeps them.

    Raises:
        PolicyError: with every problem of every file, unreadable files and duplicates across files among them.
    """
    policies: list[WorkloadPolicy] = []
    sources: list[str] = []
    problems: list[Problem] = []
    for file in policy_files(path):
        try:
            found = parse_policies(file_text(file), source=str(file))
        except PolicyError as error:
            problems += error.problems
            continue
        policies += found
        sources += [str(file)] * len(found)
    problems += duplicates(policies, sources=sources)
    if problems:
        raise PolicyError(problems)
    return tuple(policies)


def policy_files(path: Path) -> list[Path]:
    """The file itself, or the policy files of a folder by name. Raises OSError for a folder that cannot be read."""
    if not path.is_dir():
        return [path]
    return sorted(
        file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def file_text(file: Path) -> str:
    """The text of a file. Raises PolicyError, with the mend, when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError([Problem(str(file), "", f"cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise PolicyError([Problem(str(file), "", f"is not UTF-8 at byte {error.start}; save it as UTF-8")]) from error


def yaml_documents(text: str, source: str) -> tuple[list[object], list[Problem]]:
    """The documents of a YAML text, and what is wrong with it as YAML, keys that stand twice among it."""
    documents: list[object] = []
    problems: list[Problem] = []
    try:
        # A byte that YAML forbids is found as soon as the loader is made.
        loader = _LOADER(text)
        while loader.check_node():
            root = loader.get_node()
            problems += [Problem(source, "", message) for message in _repeated_keys(root)]
            documents.append(loader.construct_document(root))
    # Besides its own errors PyYAML lets through what a forced tag such as `!!int x` makes Python raise.
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError) as error:
        problems.append(Problem(source, "", _syntax(error)))
    return documents, problems


def _repeated_keys(root: yaml.Node | None) -> Iterator[str]:
    waiting: list[yaml.Node] = [root] if root else []
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield from _repeated_in(node)
            waiting += [child for _, child in reversed(node.value)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)


def _repeated_in(mapping: yaml.MappingNode) -> Iterator[str]:
    first_with: dict[tuple[str, str], yaml.ScalarNode] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        first = first_with.setdefault((key.tag, key.value), key)
        if first is not key:
            lines = f"lines {first.start_mark.line + 1} and {key.start_mark.line + 1}"
            yield f"the key {key.value!r} stands twice in one mapping ({lines}); keep one of them"


def _syntax(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: is not YAML: {error.problem}"
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"is not YAML: {' '.join(str(error).split())}"

"""Policies and budgets from files and folders, read again when they change; a bad edit keeps the last good version."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from controller.policy_text import file_text, parse_documents, policy_files
from controller.records import PolicySet
from policies.documents import Documents
from policies.spec import PolicyError, duplicates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from policies.budget import Budget
    from policies.spec import WorkloadPolicy

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _File:
    """The last good documents of a file, when it was last looked at, and what is wrong with it now."""

    stamp: Stamp | None
    documents: Documents = field(default_factory=Documents)
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class PolicyFiles:
    """The PolicySource on files and folders.

    A file that no longer parses, and a folder that cannot be listed, keep what they last held; a file that is gone
    from a folder takes its policies with it. Of two policies with one name or one target the first stands.
    """

    paths: Sequence[Path]
    _files: dict[Path, _File] = field(default_factory=dict)
    _shown: PolicySet = field(default_factory=lambda: PolicySet(()))

    async def read(self) -> PolicySet:
        """The policies in force. Never raises for what stands in the files."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> PolicySet:
        listed, problems = self._listed()
        files = {path: self._looked_at(path) for path in listed}
        if files == self._files and problems == self._shown.problems[: len(problems)] and self._shown.digest:
            return self._shown
        self._files = files
        self._shown = _joined(files, problems)
        return self._shown

    def _listed(self) -> tuple[list[Path], tuple[str, ...]]:
        """All files to read, those of a folder that cannot be listed as it last was."""
        listed: list[Path] = []
        problems: list[str] = []
        for path in self.paths:
            try:
                listed += policy_files(path)
            except OSError as error:
                problems.append(f"{path}: cannot be listed: {error.strerror}; what it last held stays in force")
                listed += [file for file in self._files if file.parent == path]
        return list(dict.fromkeys(listed)), tuple(problems)

    def _looked_at(self, path: Path) -> _File:
        known = self._files.get(path)
        stamp = _stamp(path)
        if known is not None and known.stamp == stamp and stamp is not None:
            return known
        try:
            return _File(stamp, parse_documents(file_text(path), source=str(path)))
        except PolicyError as error:
            kept = known.documents if known is not None else Documents()
            return _File(stamp, kept, tuple(str(problem) for problem in error.problems))


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _joined(files: dict[Path, _File], problems: tuple[str, ...]) -> PolicySet:
    policies = [policy for file in files.values() for policy in file.documents.policies]
    sources = [str(path) for path, file in files.items() for _ in file.documents.policies]
    budgets = tuple(budget for file in files.values() for budget in file.documents.budgets)
    clashes = [str(problem) for problem in duplicates(policies, sources=sources)]
    ordered = tuple(sorted(_firsts(policies) if clashes else policies, key=lambda policy: policy.uid))
    told = (*problems, *(problem for file in files.values() for problem in file.problems), *clashes)
    return PolicySet(ordered, told, _digest(ordered, budgets), budgets)


def _firsts(policies: Sequence[WorkloadPolicy]) -> list[WorkloadPolicy]:
    """The policies whose name and target no earlier one has."""
    taken: set[tuple[str, ...]] = set()
    kept = []
    for policy in policies:
        target = policy.spec.target
        group = target.api_version.rpartition("/")[0]
        claims = {(policy.uid,), (policy.metadata.namespace, group, target.kind, target.name)}
        if not claims & taken:
            kept.append(policy)
            taken |= claims
    return kept


def _digest(policies: Sequence[WorkloadPolicy], budgets: Sequence[Budget]) -> str:
    documents = [policy.document() for policy in policies]
    documents += [budget.model_dump(mode="json", by_alias=True) for budget in budgets]
    return sha256(json.dumps(documents, sort_keys=True, default=str).encode()).hexdigest()

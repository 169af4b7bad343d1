"""The documents of a source, each by its kind: policies and budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.budget import BUDGET_KIND, Budget, budget_from
from policies.problems import PolicyError, Problem
from policies.spec import WorkloadPolicy, duplicates, policy_from

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Documents:
    """What a source holds, in its order."""

    policies: tuple[WorkloadPolicy, ...] = ()
    budgets: tuple[Budget, ...] = ()


def documents_from(documents: Iterable[object], *, source: str) -> Documents:
    """Parse several documents of one source; empty ones are skipped.

    Raises:
        PolicyError: with every problem of every document, duplicates within the source among them.
    """
    present = [(number, document) for number, document in enumerate(documents, start=1) if document is not None]
    policies: list[WorkloadPolicy] = []
    budgets: list[Budget] = []
    sources: list[str] = []
    problems: list[Problem] = []
    for number, document in present:
        where = source if len(present) == 1 else f"{source} (document {number})"
        try:
            if isinstance(document, dict) and document.get("kind") == BUDGET_KIND:
                budgets.append(budget_from(document, source=where))
            else:
                policies.append(policy_from(document, source=where))
                sources.append(where)
        except PolicyError as error:
            problems += error.problems
    problems += duplicates(policies, sources=sources)
    if problems:
        raise PolicyError(problems)
    return Documents(tuple(policies), tuple(budgets))

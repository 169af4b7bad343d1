"""How old the prices in policies are: the daemon takes them as they are written, and nobody else renews them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.doctor.finding import Finding, Severity, well
from controller.policy_text import file_text, parse_policies, policy_files
from policies.problems import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OLD_DAYS = 90

_CHECK = "prices"
_DAY_S = 86_400.0


def examine_prices(paths: Sequence[Path], now_s: float) -> list[Finding]:
    """Policies with prices in files that nobody has changed for long. A file's age is the least that they can have."""
    ages = dict(_ages(paths, now_s))
    if not ages:
        return []
    old = {uid: days for uid, days in ages.items() if days > OLD_DAYS}
    means = "Costs, savings and budgets are told by prices of then, and what is ordered where objective.prices says so."
    mend = "Compare objective.prices with the bill, and write it anew; `foresail cost` reads what OpenCost says now."
    told = f"{len(ages)} have prices, in files last changed {int(max(ages.values()))} days ago"
    return [
        Finding(_CHECK, Severity.WARNING, uid, f"its prices are at least {int(days)} days old", means, mend)
        for uid, days in old.items()
    ] or [well(_CHECK, "policies", told)]


def _ages(paths: Sequence[Path], now_s: float) -> Iterator[tuple[str, float]]:
    """Uid and days of each policy with prices; what cannot be read is told by the check of policies."""
    for file in (file for path in paths if path.exists() for file in policy_files(path)):
        try:
            days, policies = (now_s - file.stat().st_mtime) / _DAY_S, parse_policies(file_text(file), source=file.name)
        except (OSError, PolicyError):
            continue
        for policy in policies:
            if policy.spec.objective.prices is not None:
                yield policy.uid, days

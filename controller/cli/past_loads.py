"""Loads of workloads that have a policy, read from Prometheus for the command line."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.flags import loaded
from controller.cli.output import note
from controller.cli.reading import patient, progress

if TYPE_CHECKING:
    from controller.audit.loads import Found
    from policies.spec import WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Past:
    """What is to be read."""

    policies: "tuple[WorkloadPolicy, ...]"
    days: int
    max_queries: int


def workloads_of(given: list[str]) -> tuple[str, ...]:
    """The workloads named; what is none ends the command as a usage error."""
    if wrong := [each for each in given if each.count("/") != 1]:
        raise typer.BadParameter(f"must be NAMESPACE/NAME, not {wrong[0]!r}", param_hint="--workload")
    return tuple(dict.fromkeys(given))


def past_of(path: Path, workloads: tuple[str, ...], days: int, max_queries: int) -> Past:
    """The policies of a file or folder, of these workloads or all; what is wrong with them ends the command."""
    from controller.policy_text import load_policies
    from policies.problems import PolicyError

    try:
        policies = load_policies(path)
    except (PolicyError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--policies") from error
    known = {policy.uid for policy in policies}
    if unknown := [each for each in workloads if each not in known]:
        words = f"{path} has no policy of {unknown[0]}; it has {', '.join(sorted(known)[:5]) or 'none'}"
        raise typer.BadParameter(words, param_hint="--workload")
    if not policies:
        raise typer.BadParameter(f"{path} has no policy", param_hint="--policies")
    return Past(tuple(each for each in policies if not workloads or each.uid in workloads), days, max_queries)


def loads_read(past: Past, flags: Mapping[str, object]) -> "Found":
    """Read them, and say of which workloads there is nothing. Raises Unavailable or Rejected."""
    from controller.adapters.prometheus.metered import Budget
    from controller.audit.loads import Wanted, loads_of

    access = patient(loaded(flags))
    wanted = Wanted(time.time(), past.days, Budget(past.max_queries))
    with progress() as told:
        found = asyncio.run(loads_of(access, past.policies, wanted, told))
    for uid, why in found.passed.items():
        note(f"{uid}: {why}")
    return found

"""What lies on this machine: policies, the journal's schema and disk, packages, and the daemon that runs."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

from controller.clients.environment import urllib3_problem
from controller.clients.http import HttpAccess, HttpClient, TooLarge
from controller.doctor.finding import Finding, Severity, well
from controller.errors import Rejected, Unavailable
from controller.journal.database import Database
from policies.gpus.caution import utilisation_cautions
from policies.resources.fed_by_size import fed_by_size

if TYPE_CHECKING:
    from pathlib import Path

    from controller.records import PolicySet
    from controller.settings import Settings

LEAST_FREE_BYTES = 1024**3  # a week of 10,000 workloads' ticks

_DAEMON_S = 5.0
_MOST_BYTES = 1024 * 1024
_HTTP_OK = 200


def examine_policies(policies: PolicySet) -> list[Finding]:
    """What is wrong with the documents themselves, and what will not do what it seems to."""
    check = "policies"
    found = [
        Finding(
            check,
            Severity.ERROR,
            problem.partition(": ")[0],
            problem.partition(": ")[2] or problem,
            "The document is not in force; a running daemon keeps the last good version of it.",
            "Correct it; `foresail policy validate` lists every problem.",
        )
        for problem in policies.problems
    ]
    if not policies.policies and not found:
        mend = "Name a file or folder with --policies; `foresail policy init` writes one to begin with."
        found.append(Finding(check, Severity.ERROR, "policies", "there is none", "Nothing is scaled.", mend))
    for policy in policies.policies:
        for told in (utilisation_cautions, fed_by_size):
            for problem in told(policy, source=policy.uid):
                means = "The signal will not do what it seems to do."
                found.append(
                    Finding(check, Severity.WARNING, policy.uid, problem.message, means, f"Change {problem.path}.")
                )
    return found or [well(check, "policies", f"{len(policies.policies)} in force")]


async def examine_journal(settings: Settings) -> list[Finding]:
    """Whether the journal's database answers with this program's schema, and the room that is left for it."""
    database, check = Database(settings.journal_url, migrates=False), "journal"
    about, found = database.shown, []
    try:
        await database.connect()
        found.append(well(check, about, "answers, with this version's schema"))
    except Rejected as error:
        means = "The daemon migrates an older schema when it starts, and refuses to start on a newer one."
        mend = "Start the newest Foresail that has used this database, or name another with --journal-url."
        found.append(Finding(check, Severity.WARNING, about, f"{error}", means, mend))
    except Unavailable as error:
        means = "Until it can be written workloads are raised and none is lowered; a restart forgets what was learned."
        mend = "Start the daemon once, which makes it; or see that the database runs and this account may connect."
        found.append(Finding(check, Severity.WARNING, about, f"{error}", means, mend))
    finally:
        await database.close()
    return [*found, *(_room(database.file) if database.file else [])]


def _room(file: Path) -> list[Finding]:
    folder = next(each for each in file.absolute().parents if each.is_dir())
    free = shutil.disk_usage(folder).free
    told = f"{free / 1024**3:.1f} GiB are free"
    if free >= LEAST_FREE_BYTES:
        return [well("journal", str(folder), told)]
    means = "On a full disk the journal stops; then workloads are raised and none is lowered."
    return [Finding("journal", Severity.WARNING, str(folder), told, means, "Free space, or lower --journal-retention.")]


def examine_packages() -> list[Finding]:
    """Whether the libraries are those that were installed under their names."""
    told = urllib3_problem()
    if told is None:
        return [well("packages", "urllib3", "is the one that was installed")]
    what, _, mend = told.rpartition("; ")
    means = "Kubernetes' and Prometheus' clients run on code that nobody tested them with."
    return [Finding("packages", Severity.ERROR, "urllib3", what or told, means, mend)]


async def examine_daemon(url: str) -> list[Finding]:
    """The daemon that answers there, if one does: its version, and what its own probes say."""
    check = "daemon"
    try:
        async with HttpClient(HttpAccess(url)) as client:
            ready = await client.get("readyz?verbose", timeout_s=_DAEMON_S, at_most=_MOST_BYTES)
            told = await client.get("api/v1/version", timeout_s=_DAEMON_S, at_most=_MOST_BYTES)
    except (Unavailable, TimeoutError, TooLarge) as error:
        means = "Whether Foresail runs elsewhere was not seen; the checks of the daemon itself were left out."
        mend = "Name it with --url, or open a way to it: kubectl port-forward deploy/foresail 9870."
        message = f"no daemon answers: {str(error) or 'no answer in time'}"
        return [Finding(check, Severity.WARNING, url, message, means, mend)]
    return [_ready(url, ready.status, ready.body.decode(errors="replace")), _same_version(url, told.body)]


def _ready(url: str, status: int, body: str) -> Finding:
    if status == _HTTP_OK:
        return well("daemon", url, "is ready")
    failed = "; ".join(line for line in body.splitlines() if line.startswith("[-]")) or body.strip()
    means = "Policies are not in force, or the API server was not reached: nothing is scaled."
    return Finding(
        "daemon", Severity.ERROR, url, f"is not ready: {failed}", means, "See its log, and the other findings."
    )


def _same_version(url: str, body: bytes) -> Finding:
    own = version("foresail")
    try:
        theirs = str(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError):
        mend = "Name Foresail's own address with --url."
        return Finding("daemon", Severity.ERROR, url, "is not Foresail", "Something else has that address.", mend)
    if theirs == own:
        return well("daemon", url, f"version {own}")
    means = "Checks of this version may not fit the one that runs."
    return Finding("daemon", Severity.WARNING, url, f"runs {theirs}, this is {own}", means, "Use one version of both.")

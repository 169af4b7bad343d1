"""How tests run: hypothesis profiles, and a closing account of real servers and of everything that was skipped."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

SERVERS = (
    "prometheus",
    "alertmanager",
    "kube-apiserver",
    "kube-controller-manager",
    "postgresql",
    "etcd",
    "dask",
    "chromium",
)
INTEGRATION = "tests/integration/"
OUTCOMES = ("passed", "failed", "error", "skipped")

# The processes that share the tests are told the terminal's size; what a command prints must not hang on it.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)

# Two cores shared with real servers make single examples slow at times; that is no finding.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PATIENT, max_examples=30)
settings.register_profile("ci", _PATIENT, max_examples=150, print_blob=True)
settings.register_profile("thorough", _PATIENT, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


class ServersInOne(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """Spreads files over processes; `tests/integration` goes to one of them, so that its servers are one of each."""

    def _split_scope(self, nodeid: str) -> str:
        return INTEGRATION if nodeid.startswith(INTEGRATION) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """How tests are spread with `-n`."""
    return ServersInOne(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make every test on a real server an integration test, and note the servers for the closing account."""
    for item in items:
        for name in _servers_of(item):
            item.user_properties.append(("server", name))
            item.add_marker(pytest.mark.integration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran against which real servers, and name every skipped test with its reason."""
    terminalreporter.section("real servers")
    counts = _outcomes_by_server(terminalreporter)
    for name in SERVERS:
        told = [f"{counts[name, outcome]} {outcome}" for outcome in OUTCOMES if counts[name, outcome]]
        terminalreporter.write_line(f"{name}: {', '.join(told) or 'no test ran'}")
    skipped = list(_reports(terminalreporter, "skipped"))
    terminalreporter.section(f"skipped tests: {len(skipped)}")
    for report in skipped:
        terminalreporter.write_line(f"{report.nodeid}: {_reason(report)}")


def _servers_of(item: pytest.Item) -> list[str]:
    names = sorted({name for marker in item.iter_markers("server") for name in marker.args})
    if unknown := set(names) - set(SERVERS):
        message = (
            f"{item.nodeid}: no real server is called {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}"
        )
        raise pytest.UsageError(message)
    return names


def _outcomes_by_server(reporter: pytest.TerminalReporter) -> Counter[tuple[str, str]]:
    return Counter(
        (str(value), outcome)
        for outcome in OUTCOMES
        for report in _reports(reporter, outcome)
        for key, value in getattr(report, "user_properties", ())
        if key == "server"
    )


def _reports(reporter: pytest.TerminalReporter, outcome: str) -> Iterator[pytest.TestReport | pytest.CollectReport]:
    """Reports of one outcome; a module that is skipped while collected has one too."""
    for report in reporter.stats.get(outcome, ()):
        if isinstance(report, pytest.TestReport | pytest.CollectReport):
            yield report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where_and_why = report.longrepr
    return str(where_and_why[2] if isinstance(where_and_why, tuple) else where_and_why).removeprefix("Skipped: ")

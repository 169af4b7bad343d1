"""Real servers as fixtures; a test that uses one is marked with it, and a missing one skips with its reason."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from tests.integration.daemon import Servers, Stage, staged
from tests.integration.servers.bad_prometheus import BadPrometheus
from tests.integration.servers.chromium import Chromium
from tests.integration.servers.controller_manager import HpaController
from tests.integration.servers.dask import DaskCluster
from tests.integration.servers.exporter import Exporter
from tests.integration.servers.kubernetes import KubeApi, clear_namespace, create_namespace
from tests.integration.servers.kubernetes_build import KubernetesPrograms, find_or_build, needs_build
from tests.integration.servers.pod_metrics import PodMetrics, served_pod_metrics
from tests.integration.servers.postgresql import PostgreSQL
from tests.integration.servers.process import MissingServer
from tests.integration.servers.prometheus import Prometheus

T = TypeVar("T")

# Fixture to the servers that it starts, by the names of the closing account.
SERVERS_OF = {
    "prometheus": ("prometheus",),
    "scraped": ("prometheus",),
    "recorded": ("prometheus",),
    "kube_api": ("kube-apiserver", "etcd"),
    "hpa_controller": ("kube-controller-manager",),
    "postgresql": ("postgresql",),
    "dask_cluster": ("dask",),
    "chromium": ("chromium",),
}
BUILD_TIMEOUT_S = 3600
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, each with the servers that its fixtures start."""
    patience_s = BUILD_TIMEOUT_S if needs_build() else None
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.integration)
        used = set(getattr(item, "fixturenames", ())) & set(SERVERS_OF)
        for name in sorted(server for fixture in used for server in SERVERS_OF[fixture]):
            item.add_marker(pytest.mark.server(name))
        if patience_s is not None and "kube_api" in used:
            # Whichever of them comes first waits for the build.
            item.add_marker(pytest.mark.timeout(patience_s), append=False)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus of the test's own, started, empty and without targets."""
    folder = tmp_path / "prometheus"
    with _or_skip(lambda: Prometheus(folder)) as server:
        yield server


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    """A scrape target without samples."""
    with Exporter() as target:
        yield target


@pytest.fixture
def bad_prometheus() -> Iterator[BadPrometheus]:
    """A server that answers Prometheus's API as wrongly as it is told."""
    with BadPrometheus() as server:
        yield server


@pytest.fixture(scope="session")
def _postgresql_of_session() -> Iterator[PostgreSQL]:
    with _or_skip(PostgreSQL) as server:
        yield server


@pytest.fixture
def postgresql(_postgresql_of_session: PostgreSQL) -> Iterator[PostgreSQL]:
    """The session's PostgreSQL, running whatever the test before did to it."""
    server = _postgresql_of_session
    server.process.restore()
    yield server
    server.process.restore()


@pytest.fixture
def database_url(postgresql: PostgreSQL) -> str:
    """An empty database of the test's own, as SQLAlchemy names it."""
    return postgresql.fresh_database()


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """A Dask scheduler of the test's own, with two workers."""
    with DaskCluster(tmp_path / "dask") as cluster:
        yield cluster


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Chromium]:
    """A browser of the test's own, without a window."""
    async with _or_skip(lambda: Chromium(tmp_path / "chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def _kube_api_of_session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    programs = _or_skip(lambda: _programs(request.config))
    folder = tmp_path_factory.mktemp("kubernetes")
    with _or_skip(lambda: KubeApi(folder, programs)) as server:
        yield server


@pytest.fixture
def kube_api(_kube_api_of_session: KubeApi) -> Iterator[KubeApi]:
    """The session's Kubernetes API server, running whatever the test before did to it."""
    server = _kube_api_of_session
    server.process.restore()
    yield server
    server.process.restore()


@pytest.fixture
async def namespace(kube_api: KubeApi) -> AsyncIterator[str]:
    """A namespace of the test's own, emptied of workloads and pods when the test is over."""
    name = f"test-{uuid4().hex[:8]}"
    await create_namespace(kube_api, name)
    yield name
    kube_api.process.restore()
    await clear_namespace(kube_api, name)


@pytest.fixture
def hpa_controller(kube_api: KubeApi, tmp_path: Path) -> Iterator[HpaController]:
    """The real HPA controller, which looks every second while the test lasts."""
    with _or_skip(lambda: HpaController(tmp_path / "hpa-controller", kube_api)) as server:
        yield server


@pytest.fixture
async def pod_metrics(kube_api: KubeApi, namespace: str) -> AsyncIterator[PodMetrics]:
    """A stand-in for metrics-server: what the test's pods use is what the test says."""
    async with served_pod_metrics(kube_api, namespace) as served:
        yield served


@pytest.fixture(scope="session")
def _scraped_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Exporter]]:
    folder = tmp_path_factory.mktemp("scraped")
    with Exporter() as exporter, _or_skip(lambda: Prometheus(folder)) as server:
        server.scrape(exporter.address)
        yield server, exporter


@pytest.fixture
def scraped(_scraped_of_session: tuple[Prometheus, Exporter]) -> Iterator[tuple[Prometheus, Exporter]]:
    """The session's Prometheus, which scrapes the session's exporter every second; both up whatever a test did."""
    server, exporter = _scraped_of_session
    server.process.restore()
    exporter.revive()
    yield server, exporter
    server.process.restore()
    exporter.revive()


@pytest.fixture
async def stage(
    kube_api: KubeApi, namespace: str, scraped: tuple[Prometheus, Exporter], tmp_path: Path
) -> AsyncIterator[Stage]:
    """A Deployment of two replicas under a load of 14, and a daemon with the rights it needs, ready to be started."""
    async with staged(Servers(kube_api, namespace, *scraped), tmp_path) as found:
        yield found


def _programs(config: pytest.Config) -> KubernetesPrograms:
    """Find or build, with the build's progress shown although pytest captures output."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None or not needs_build():
        return find_or_build()
    with capture.global_and_fixture_disabled():
        return find_or_build()


def _or_skip(make: Callable[[], T]) -> T:
    try:
        return make()
    except MissingServer as error:
        reason = str(error)
    if os.environ.get("FORESAIL_REQUIRE_SERVERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

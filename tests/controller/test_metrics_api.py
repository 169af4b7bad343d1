"""The external metrics API over TLS: who may ask, what is answered, and certificates that are renewed while it runs."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.errors import ForesailError
from controller.metrics_api import run_metrics_api
from controller.settings import Settings
from controller.settings.values import Listen
from tests.controller.clients.kubernetes_server import ApiServer, document, refusal
from tests.integration.servers.certificates import CLIENT_EXTENSIONS, Pair, make_authority, make_certificates, make_pair
from tests.integration.servers.process import eventually_async, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.controller.clients.kubernetes_server import Answer
    from tests.integration.servers.certificates import Certificates

pytestmark = pytest.mark.integration  # certificates are made by a program

BASE = "/apis/external.metrics.k8s.io/v1beta1"
WEB = f"{BASE}/namespaces/shop/foresail_recommended_replicas?labelSelector=namespace%3Dshop%2Cworkload%3Dweb"
AT = "2026-11-27T10:00:00.000Z"
CONFIG_MAP = "GET /api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"


def item(namespace: str, name: str, replicas: int | None, hold: str | None = None) -> dict[str, object]:
    return {"namespace": namespace, "name": name, "replicas": replicas, "hold": hold}


@dataclass
class Daemon:
    """What the API of a running daemon answers."""

    items: list[dict[str, object]] = field(
        default_factory=lambda: [
            item("shop", "api", 12),
            item("shop", "web", 7),
            item("dark", "one", 3),
            item("dark", "two", None, "kill_switch"),
        ]
    )
    lasts: timedelta = timedelta(minutes=1)
    status: int = 200

    async def answer(self, request: web.Request) -> web.Response:
        assert request.path == "/api/v1/recommendations"
        if self.status != 200:
            return web.json_response({"detail": "no tick has come to a decision yet"}, status=self.status)
        until = (datetime.now(UTC) + self.lasts).isoformat()
        return web.json_response({"until": until, "metadata": {"at": AT, "continue": ""}, "items": self.items})


@dataclass(frozen=True)
class Running:
    """The server, and what the API server has in hand."""

    port: int
    made: Certificates
    daemon: Daemon
    pair: Pair  # that the server shows

    async def ask(self, path: str, client: Pair | None = None, ca: Path | None = None) -> tuple[int, Any]:
        """Status and document, or text, as who shows this certificate is answered; as the front proxy unless given."""
        return await self.answered(path, client or self.made.proxy, ca)

    async def answered(self, path: str, client: Pair | None, ca: Path | None = None) -> tuple[int, Any]:
        context = ssl.create_default_context(cafile=ca or self.made.authority.certificate)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        url = f"https://localhost:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
            text = answer.content_type != "application/json"
            return answer.status, await (answer.text() if text else answer.json())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def serving(settings: Settings, *, read_again_s: float = 30.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_metrics_api(settings, stop=stop, read_again_s=read_again_s))

    async def open_() -> bool:
        if task.done():
            task.result()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", settings.metrics_api_listen.port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually_async(open_, what="an open port")
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def running(
    made: Certificates,
    folder: Path,
    *,
    proxy_ca: Path | None,
    read_again_s: float = 30.0,
    **more: Any,  # noqa: ANN401 - settings
) -> AsyncIterator[Running]:
    daemon, port = Daemon(), free_port()
    pair = Pair(folder / "tls.crt", folder / "tls.key")
    copyfile(made.own.certificate, pair.certificate)
    copyfile(made.own.key, pair.key)
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", daemon.answer)
    async with TestServer(app) as server:
        settings = Settings(
            metrics_api_listen=Listen("127.0.0.1", port),
            metrics_api_cert_file=pair.certificate,
            metrics_api_key_file=pair.key,
            metrics_api_client_ca_file=proxy_ca,
            metrics_api_daemon_url=str(server.make_url("")).rstrip("/"),
            **more,
        )
        async with serving(settings, read_again_s=read_again_s):
            yield Running(port, made, daemon, pair)


@pytest.fixture
async def server(made: Certificates, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(made, tmp_path, proxy_ca=made.proxy_authority.certificate) as found:
        yield found


async def test_what_an_hpa_reads(server: Running) -> None:
    assert await server.ask(WEB) == (
        200,
        {
            "kind": "ExternalMetricValueList",
            "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [
                {
                    "metricName": "foresail_recommended_replicas",
                    "metricLabels": {"namespace": "shop", "workload": "web"},
                    "timestamp": AT,
                    "value": "7000m",
                }
            ],
        },
    )
    _, found = await server.ask(BASE)
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", "external.metrics.k8s.io/v1beta1")
    assert [each["name"] for each in found["resources"]] == ["foresail_recommended_replicas"]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        pytest.param("?labelSelector=", ["12000m", "7000m"], id="all-of-the-namespace"),
        pytest.param("?labelSelector=workload+in+(web,%20other)", ["7000m"], id="in"),
        pytest.param("?labelSelector=workload%21%3Dweb", ["12000m"], id="not"),
    ],
)
async def test_selectors(server: Running, path: str, values: list[str]) -> None:
    status, found = await server.ask(f"{BASE}/namespaces/shop/foresail_recommended_replicas{path}")
    assert (status, [each["value"] for each in found["items"]]) == (200, values)


@pytest.mark.parametrize(
    ("path", "status", "reason", "words"),
    [
        pytest.param("shop/other", 404, "NotFound", "there is no external metric other", id="another-metric"),
        pytest.param(
            "shop/foresail_recommended_replicas?labelSelector=workload%3Dwbe",
            404,
            "NotFound",
            "no policy's workload in shop matches 'workload=wbe'",
            id="no-such-workload",
        ),
        pytest.param(
            "shop/foresail_recommended_replicas?labelSelector=((",
            400,
            "BadRequest",
            "not a label selector",
            id="no-selector",
        ),
        pytest.param(
            "dark/foresail_recommended_replicas",
            503,
            "ServiceUnavailable",
            "nothing is recommended to dark/two now (kill_switch)",
            id="held-so-that-the-sum-would-be-too-low",
        ),
    ],
)
async def test_what_is_not_known_is_an_error(server: Running, path: str, status: int, reason: str, words: str) -> None:
    found, told = await server.ask(f"{BASE}/namespaces/{path}")
    assert (found, told["kind"], told["code"], told["reason"]) == (status, "Status", status, reason)
    assert words in told["message"]


async def test_a_stale_recommendation_is_an_error(server: Running) -> None:
    server.daemon.lasts = timedelta(seconds=-1)
    status, told = await server.ask(WEB)
    assert (status, told["message"]) == (503, f"no recommendation is fresh: its last tick was at {AT}")


async def test_a_daemon_that_has_not_decided_yet_is_an_error(server: Running) -> None:
    server.daemon.status = 503
    status, told = await server.ask(WEB)
    assert status == 503
    assert told["message"].endswith("answers 503: no tick has come to a decision yet")


async def test_only_the_front_proxy_is_answered(server: Running, tmp_path: Path) -> None:
    stranger = make_pair(
        tmp_path, "stranger", make_authority(tmp_path, "other"), "front-proxy-client", CLIENT_EXTENSIONS
    )
    for refused in (stranger, _expired(server.made, tmp_path), server.made.own):
        with pytest.raises(aiohttp.ClientError):
            await server.ask(WEB, refused)
    status, told = await server.answered(WEB, None)
    assert (status, told["reason"]) == (401, "Unauthorized")
    for probe in ("/livez", "/readyz"):
        assert await server.answered(probe, None) == (200, "ok\n")


async def test_the_api_server_says_who_its_front_proxy_is(made: Certificates, tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as api:
        authority = made.proxy_authority.certificate.read_text()
        data = {"requestheader-client-ca-file": authority, "requestheader-allowed-names": '["front-proxy-client"]'}
        api.on(CONFIG_MAP, document({"data": data}))
        async with running(made, tmp_path, proxy_ca=None, kubeconfig=api.kubeconfig) as server:
            assert (await server.ask(WEB))[0] == 200
            other = make_pair(tmp_path, "other", made.proxy_authority, "someone", CLIENT_EXTENSIONS)
            status, told = await server.ask(WEB, other)
            assert (status, told["message"]) == (403, "someone is not the front proxy (front-proxy-client)")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            refusal(403, "no"), r"cannot be read: no \(HTTP 403\) \(apply deploy/metrics-api.yaml\)", id="forbidden"
        ),
        pytest.param(document({"data": {"client-ca-file": "x"}}), "tells of no front proxy", id="not-aggregating"),
    ],
)
async def test_without_a_front_proxy_it_does_not_start(
    made: Certificates,
    tmp_path: Path,
    answer: Answer,
    words: str,
) -> None:
    async with ApiServer(tmp_path) as api:
        api.on(CONFIG_MAP, answer)
        with pytest.raises(ForesailError, match=words):
            async with running(made, tmp_path, proxy_ca=None, kubeconfig=api.kubeconfig):
                pass


async def test_renewed_certificates_are_shown_without_a_restart_and_broken_ones_are_not(
    made: Certificates, tmp_path: Path
) -> None:
    ca = made.proxy_authority.certificate
    async with running(made, tmp_path, proxy_ca=ca, read_again_s=0.02) as server:
        server.pair.key.write_text("half a ke")
        await asyncio.sleep(0.1)
        assert (await server.ask(WEB))[0] == 200

        other = make_authority(tmp_path, "other")
        names = "subjectAltName=DNS:localhost"
        new = make_pair(tmp_path, "new", other, "localhost", ("extendedKeyUsage=serverAuth", names))
        copyfile(new.certificate, server.pair.certificate)
        copyfile(new.key, server.pair.key)

        async def shown() -> bool:
            try:
                return (await server.ask(WEB, ca=other.certificate))[0] == 200
            except aiohttp.ClientError:
                return False

        await eventually_async(shown, what="the new certificate")


def _expired(made: Certificates, folder: Path) -> Pair:
    """A certificate of the front proxy that ran out a day ago."""
    pair, asked = Pair(folder / "old.crt", folder / "old.key"), folder / "old.csr"
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=front-proxy-client")
    authority = made.proxy_authority
    signed = ("x509", "-req", "-in", asked, "-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial")
    for command in ((*new, "-out", asked, "-keyout", pair.key), (*signed, "-days", "-1", "-out", pair.certificate)):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return pair

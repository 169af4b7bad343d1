"""The metrics API's composition root: an aggregated API server that reads the daemon, and its certificates."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from controller.adapters.kubernetes.front_proxy import FrontProxy, front_proxy
from controller.adapters.recommendations import DaemonRecommendations
from controller.clients.http import HttpAccess, HttpClient
from controller.clients.kubernetes import connect
from controller.errors import ForesailError, Rejected, Unavailable
from controller.metrics_api.external_metrics import external_metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from controller.settings import Settings
    from controller.settings.values import Listen

log = structlog.get_logger("foresail.metrics_api")

READ_AGAIN_S = 30.0
_CLOSING_S = 2.0


async def run_metrics_api(settings: Settings, *, stop: asyncio.Event, read_again_s: float = READ_AGAIN_S) -> None:
    """Serve until `stop` is set. Raises ForesailError when the start is impossible."""
    access = HttpAccess(settings.metrics_api_daemon_url, bearer_file=settings.metrics_api_daemon_token_file)
    async with AsyncExitStack() as stack:
        daemon = DaemonRecommendations(await stack.enter_async_context(HttpClient(access)))
        credentials = await stack.enter_async_context(_credentials(settings))
        door = Door(settings.metrics_api_listen, await credentials.read())
        app = external_metrics(daemon.present, lambda: door.shown.proxy.names)
        await stack.enter_async_context(door.opened(app))
        log.info("started", listen=str(settings.metrics_api_listen), daemon=access.url)
        while not await _stopped(stop, read_again_s):
            try:
                await door.renew(await credentials.read())
            except ForesailError as error:
                log.warning("what is shown and trusted stays as it was", error=str(error))
        log.info("stopped")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the server shows, and whom it trusts: files with their contents, by which a new one is known."""

    certificate_file: Path
    key_file: Path
    certificate: bytes
    key: bytes
    proxy: FrontProxy

    def context(self) -> ssl.SSLContext:
        """TLS that verifies a client's certificate where one is shown. Raises Unavailable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.verify_mode = ssl.CERT_OPTIONAL  # the kubelet's probes have none
        try:
            context.load_cert_chain(self.certificate_file, self.key_file, password="")
            context.load_verify_locations(cadata=self.proxy.authority)
        except (OSError, ValueError) as error:  # ssl.SSLError is one of the first
            files = f"{self.certificate_file}, {self.key_file}, and the front proxy's authority"
            raise Unavailable(f"these certificates cannot be used ({files}): {error}") from error
        return context


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where they are read: two files, and what tells of the front proxy."""

    certificate_file: Path
    key_file: Path
    proxy: Callable[[], Awaitable[FrontProxy]]

    async def read(self) -> Shown:
        """What there is now. Raises Unavailable."""
        try:
            proxy = await self.proxy()
            certificate = await asyncio.to_thread(self.certificate_file.read_bytes)
            key = await asyncio.to_thread(self.key_file.read_bytes)
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"a certificate cannot be read: {error}") from error
        return Shown(self.certificate_file, self.key_file, certificate, key, proxy)


class Door:
    """The open port. Where certificates change it is opened anew; connections that there are stay."""

    def __init__(self, listen: Listen, shown: Shown) -> None:
        """Not open yet."""
        self.shown = shown
        self._listen = listen
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @asynccontextmanager
    async def opened(self, app: web.Application) -> AsyncIterator[None]:
        """Serve while the block lasts. Raises Unavailable when the address cannot be had."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSING_S)
        await self._runner.setup()
        try:
            await self._open(self._runner, self.shown)
            yield
        finally:
            await self._runner.cleanup()

    async def renew(self, shown: Shown) -> None:
        """Show these from the next connection on, where they are others. Raises Unavailable."""
        if shown != self.shown and self._runner is not None:
            await self._open(self._runner, shown)
            log.info("certificates renewed")

    async def _open(self, runner: web.AppRunner, shown: Shown) -> None:
        context = shown.context()
        if self._site is not None:
            await self._site.stop()
        self._site = web.TCPSite(runner, self._listen.host, self._listen.port, ssl_context=context)
        try:
            await self._site.start()
        except OSError as error:
            where = f"{self._listen}: {error.strerror}; choose another with --metrics-api-listen"
            raise Unavailable(f"cannot listen on {where}") from error
        self.shown = shown


@asynccontextmanager
async def _credentials(settings: Settings) -> AsyncIterator[Credentials]:
    """Raises Rejected where what is needed is not set, or there is no way to the API server."""
    certificate, key = settings.metrics_api_cert_file, settings.metrics_api_key_file
    if certificate is None or key is None:
        raise Rejected("metrics_api_cert_file and metrics_api_key_file are needed: the API server asks over TLS alone")
    authority = settings.metrics_api_client_ca_file
    if authority is not None:

        async def from_file() -> FrontProxy:
            return FrontProxy(await asyncio.to_thread(authority.read_text))

        yield Credentials(certificate, key, from_file)
        return
    async with await connect(kubeconfig=settings.kubeconfig, context=settings.context) as session:
        yield Credentials(certificate, key, lambda: front_proxy(session))


async def _stopped(stop: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), within_s)
    except TimeoutError:
        return False
    return True

"""HTTP with TLS and credentials as configuration: how one server is reached, and a session that posts forms to it."""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import aiohttp

from controller.errors import ForesailError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Shorter than a tick, so that no connection is reused just as the server's side of it gives up.
KEEP_ALIVE_S = 5.0
CHUNK_BYTES = 256 * 1024
HALF_A_SECOND = 0.5
SHOWN_OF_AN_ERROR = 300


class TooLarge(Unavailable):
    """The answer is larger than allowed; ask for less."""


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """How a server is reached. Files are read when used, and again when they change; nothing secret is shown.

    Raises ForesailError, naming the field, when the parts contradict each other or the URL carries a secret.
    """

    url: str
    timeout_s: float = 10.0
    bearer_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # such as X-Scope-OrgID; may hold keys
    verify: bool = True

    def __post_init__(self) -> None:
        problems = [*_url_problems(self.url), *_credential_problems(self), *_tls_problems(self)]
        if problems:
            raise ForesailError("; ".join(problems))

    def address(self, path: str) -> str:
        """The URL of a path under the server's own; of no path, the URL as it is given."""
        return f"{self.url.rstrip('/')}/{path.lstrip('/')}" if path else self.url

    def request_headers(self) -> dict[str, str]:
        """Headers for one request, credentials included. Raises Unavailable when a secret's file cannot be read."""
        headers = dict(self.headers)
        if self.bearer_file is not None:
            headers["Authorization"] = f"Bearer {secret_of(self.bearer_file, 'bearer token file')}"
        if self.password_file is not None:
            password = secret_of(self.password_file, "password file")
            headers["Authorization"] = f"Basic {b64encode(f'{self.user}:{password}'.encode()).decode()}"
        return headers


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer: its status, its whole body, and how far the server's clock is ahead of ours (None = not said)."""

    status: int
    body: bytes
    skew_s: float | None
    location: str = ""  # where a redirect points


@dataclass(frozen=True, slots=True)
class _Sent:
    """What goes with a request: a form or bytes, and headers beside the credentials."""

    body: Mapping[str, str] | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpClient:
    """A session to one server. It follows no redirect and retries nothing."""

    def __init__(self, access: HttpAccess, *, connections: int = 8) -> None:
        """Prepare; the session opens with the first request."""
        self.access = access
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | bool | None = None
        self._tls_stamp: tuple[int, ...] = ()

    async def __aenter__(self) -> Self:
        """Return the client; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post_form(self, path: str, form: Mapping[str, str], *, timeout_s: float, at_most: int) -> HttpAnswer:
        """Post a form and read the whole answer, of at most so many bytes.

        Raises TimeoutError after `timeout_s` seconds, TooLarge, and Unavailable when no whole answer came.
        """
        return await self._ask("POST", path, _Sent(form), timeout_s=timeout_s, at_most=at_most)

    async def post_bytes(
        self, path: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, at_most: int
    ) -> HttpAnswer:
        """Post a body as it is, with headers of its own beside the credentials. Raises as `post_form`."""
        return await self._ask("POST", path, _Sent(body, headers), timeout_s=timeout_s, at_most=at_most)

    async def get(self, path: str, *, timeout_s: float, at_most: int) -> HttpAnswer:
        """Read the whole answer to a GET, of at most so many bytes. Raises as `post_form`."""
        return await self._ask("GET", path, _Sent(), timeout_s=timeout_s, at_most=at_most)

    async def _ask(self, method: str, path: str, sent: _Sent, *, timeout_s: float, at_most: int) -> HttpAnswer:
        headers, tls = {**sent.headers, **self.access.request_headers()}, self._tls_in_force()
        try:
            async with self._open().request(
                method,
                self.access.address(path),
                data=sent.body,
                headers=headers,
                ssl=tls,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as response:
                skew_s = _skew_s(response.headers.get("Date"), time.time())
                body = await _read(response, at_most)
                return HttpAnswer(response.status, body, skew_s, response.headers.get("Location", ""))
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host name no resolver takes
            raise Unavailable(_worded(error)) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_S)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _tls_in_force(self) -> ssl.SSLContext | bool:
        files = [file for file in (self.access.ca_file, self.access.cert_file, self.access.key_file) if file]
        try:
            stamp = tuple(part for file in files for part in _stamp(file))
            if self._tls is None or stamp != self._tls_stamp:
                self._tls = _tls_of(self.access)
                self._tls_stamp = stamp
        except OSError as error:  # ssl.SSLError is one
            names = ", ".join(str(file) for file in files)
            raise Unavailable(f"the TLS files cannot be used ({names}): {error}") from error
        return self._tls


async def _read(response: aiohttp.ClientResponse, at_most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > at_most:
            raise TooLarge(f"the answer is larger than {at_most} bytes")
    return bytes(body)


def _tls_of(access: HttpAccess) -> ssl.SSLContext | bool:
    if access.ca_file is None and access.cert_file is None:
        return access.verify
    context = ssl.create_default_context(cafile=access.ca_file)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.cert_file is not None:
        context.load_cert_chain(access.cert_file, access.key_file)
    return context


def _skew_s(date: str | None, now_s: float) -> float | None:
    """Server's clock minus ours, good to half a second: the Date header has whole seconds."""
    if date is None:
        return None
    try:
        at = parsedate_to_datetime(date)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp() + HALF_A_SECOND - now_s


def _stamp(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def secret_of(file: Path, what: str) -> str:
    """The file's text, of one line. Raises Unavailable.

    A read of some hundred bytes costs less than knowing whether it changed.
    """
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the {what} {file} cannot be read: {_worded(error)}") from error
    if not secret or not secret.isprintable():
        raise Unavailable(f"the {what} {file} holds no secret of one line")
    return secret


def _worded(error: Exception) -> str:
    """One line of bounded length; aiohttp quotes what it could not read, line by line."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    match error:
        case aiohttp.ClientResponseError():
            told = f"not an HTTP answer: {error.message}"
        case aiohttp.ClientPayloadError():
            told = f"a broken answer: {error}"
        case _:
            told = str(error)
    return " ".join(told.split())[:SHOWN_OF_AN_ERROR] or type(error).__name__


def _url_problems(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ["url: cannot be read; write it as https://host:port/path"]
    if parts.username is not None or parts.password is not None:
        return [f"url: must carry no credentials ({parts.hostname}); use a password file or a bearer token file"]
    if not url.isprintable() or " " in url:
        return ["url: must have no blanks"]
    if parts.query or parts.fragment:
        return [f"url: must have no ?query and no #fragment ({parts.hostname}); use headers"]
    return [] if known else [f"url: {url!r} is not of the form https://host:port/path"]


def _credential_problems(access: HttpAccess) -> list[str]:
    problems = []
    if bool(access.user) != (access.password_file is not None):
        problems.append("user and password file belong together")
    named = any(name.lower() == "authorization" for name in access.headers)
    if sum((access.bearer_file is not None, access.password_file is not None, named)) > 1:
        problems.append("only one of bearer token file, password file and header Authorization can be used")
    if ":" in (access.user or ""):
        problems.append("user: must have no colon")
    problems += [
        f"headers: {name!r} or its value is not printable text on one line"
        for name, value in access.headers.items()
        if not name or not (name + value).isprintable()
    ]
    return problems


def _tls_problems(access: HttpAccess) -> list[str]:
    problems = []
    if access.key_file is not None and access.cert_file is None:
        problems.append("key file: needs the certificate file beside it")
    if not access.verify and access.ca_file is not None:
        problems.append("CA file: is of no use where verification is off")
    if access.timeout_s <= 0:
        problems.append(f"timeout: must be above 0 s, is {access.timeout_s:g} s")
    return problems

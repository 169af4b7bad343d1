"""How a server is reached: what is refused, which credentials are sent, and how failures are worded."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.clients.http import HttpAccess, HttpClient, TooLarge
from controller.errors import ForesailError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from controller.clients.http import HttpAnswer

AT_MOST = 1024


async def echo(request: web.Request) -> web.Response:
    """Answer with the headers that tell who asks, and the form."""
    form = await request.post()
    headers = {name: request.headers.get(name) for name in ("Authorization", "X-Scope-OrgID")}
    return web.json_response({"path": request.path, **headers, **form})


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = echo, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server on loopback that answers everything so; gives its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


async def post(access: HttpAccess, form: dict[str, str] | None = None, *, timeout_s: float = 5.0) -> HttpAnswer:
    async with HttpClient(access) as client:
        return await client.post_form("api/v1/query", form or {}, timeout_s=timeout_s, at_most=AT_MOST)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"url": "http://me:secret@prom:9090"}, "must carry no credentials (prom)", id="password-in-url"),
        pytest.param({"url": "http://token@prom"}, "must carry no credentials", id="token-in-url"),
        pytest.param({"url": "http://prom?token=secret"}, "no ?query", id="secret-in-the-query"),
        pytest.param({"url": "prom:9090"}, "is not of the form https://host:port/path", id="no-scheme"),
        pytest.param({"url": "ftp://prom"}, "is not of the form", id="another-scheme"),
        pytest.param({"url": "http://my prom"}, "no blanks", id="blank"),
        pytest.param({"url": "http://prom:none"}, "cannot be read", id="port-is-no-number"),
        pytest.param({"url": "http://p", "user": "me"}, "user and password file belong together", id="no-password"),
        pytest.param({"url": "http://p", "headers": {"A": "b\r\nc"}}, "not printable", id="header-of-two-lines"),
        pytest.param({"url": "http://p", "timeout_s": 0.0}, "must be above 0 s, is 0 s", id="no-time"),
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ForesailError) as refused:
        HttpAccess(**wrong)  # type: ignore[arg-type] # columns of a table

    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_all_problems_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ForesailError) as refused:
        HttpAccess("prom", bearer_file=tmp_path, user="a:b", password_file=tmp_path, key_file=tmp_path, verify=False)

    told = str(refused.value)
    assert told.count(";") == 3
    for part in ("url:", "only one of bearer token file", "no colon", "key file: needs the certificate"):
        assert part in told


def test_headers_are_not_shown() -> None:
    assert "hidden" not in repr(HttpAccess("http://prom", headers={"X-Api-Key": "hidden"}))


async def test_a_form_is_posted_under_the_path_of_the_server() -> None:
    async with serving() as url:
        answer = await post(HttpAccess(f"{url}/prometheus/"), {"query": "up{a='b'}"})

    assert answer.status == 200
    assert b'"path": "/prometheus/api/v1/query"' in answer.body
    assert b"up{a='b'}" in answer.body


async def test_a_bearer_token_is_read_again_when_it_changes(tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with serving() as url, HttpClient(HttpAccess(url, bearer_file=token)) as client:
        bodies = []
        for written in ("first\n", "second\n"):
            token.write_text(written)
            answer = await client.post_form("x", {}, timeout_s=5, at_most=AT_MOST)
            bodies.append(answer.body)

    assert b'"Bearer first"' in bodies[0]
    assert b'"Bearer second"' in bodies[1]


async def test_user_password_and_tenant_are_sent(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    async with serving() as url:
        access = HttpAccess(url, user="me", password_file=password, headers={"X-Scope-OrgID": "team-a"})
        answer = await post(access)

    assert f'"Basic {b64encode(b"me:s3cret").decode()}"'.encode() in answer.body
    assert b'"X-Scope-OrgID": "team-a"' in answer.body
    assert "s3cret" not in repr(access)


@pytest.mark.parametrize("content", [None, b"", b"one\ntwo", b"\xff\xfe"], ids=["missing", "empty", "lines", "binary"])
async def test_a_secret_that_cannot_be_used_is_named_by_its_file(tmp_path: Path, content: bytes | None) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)

    with pytest.raises(Unavailable, match=f"bearer token file {token}"):
        await post(HttpAccess("http://127.0.0.1:1", bearer_file=token))


async def test_a_refused_connection_is_unavailable() -> None:
    async with serving() as url:
        gone = url

    with pytest.raises(Unavailable, match="Cannot connect to host"):
        await post(HttpAccess(gone))


async def test_a_host_that_cannot_be_a_name_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="label empty or too long"):
        await post(HttpAccess("http://prom..example"))


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another-protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="wrong-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", id="not-gzip"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", id="wrong-length"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_what_is_not_http_is_told_in_one_line(served: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(served)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        with pytest.raises(Unavailable, match=r"\A(not an HTTP answer: .*|a broken answer: .*|Server disconnected)\Z"):
            await post(HttpAccess(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))


async def test_an_answer_beyond_the_limit_is_not_read_to_its_end() -> None:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(AT_MOST + 1))

    async with serving(large) as url:
        with pytest.raises(TooLarge, match="larger than 1024 bytes"):
            await post(HttpAccess(url))


async def test_redirects_are_told_and_not_followed() -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://elsewhere/login"})

    async with serving(away) as url:
        answer = await post(HttpAccess(url))

    assert (answer.status, answer.location) == (302, "http://elsewhere/login")


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        # 2001-09-09T01:46:40Z is 1,000,000,000 s; the header has whole seconds, so half of one is added.
        pytest.param("Sun, 09 Sep 2001 01:46:40 GMT", 0.5, id="the-same"),
        pytest.param("Sun, 09 Sep 2001 01:47:40 GMT", 60.5, id="a-minute-ahead"),
        pytest.param("today", None, id="garbage"),
    ],
)
async def test_the_servers_clock_is_compared_with_ours(
    monkeypatch: pytest.MonkeyPatch, date: str, skew_s: float | None
) -> None:
    async def dated(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": date})

    monkeypatch.setattr("controller.clients.http.time.time", lambda: 1_000_000_000.0)
    async with serving(dated) as url:
        answer = await post(HttpAccess(url))

    assert answer.skew_s == skew_s


async def test_a_server_is_verified_and_a_client_certificate_shown(tmp_path: Path) -> None:
    server, client = pair(tmp_path, "server"), pair(tmp_path, "client")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client[0])
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(*server)
    async with serving(tls=tls) as url:
        good = HttpAccess(url, ca_file=server[0], cert_file=client[0], key_file=client[1])
        assert (await post(good)).status == 200
        for wrong in (
            HttpAccess(url, cert_file=client[0], key_file=client[1]),
            HttpAccess(url, ca_file=server[0]),
            HttpAccess(url, ca_file=server[0], cert_file=server[0], key_file=server[1]),
        ):
            with pytest.raises(Unavailable):
                await post(wrong)
        unverified = HttpAccess(url, cert_file=client[0], key_file=client[1], verify=False)
        assert (await post(unverified)).status == 200


async def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"TLS files cannot be used .*no\.pem"):
        await post(HttpAccess("https://127.0.0.1:1", ca_file=tmp_path / "no.pem"))


async def test_a_new_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    old, new = pair(tmp_path, "old"), pair(tmp_path, "new")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(old[0].read_bytes())
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*new)
    async with serving(tls=tls) as url, HttpClient(HttpAccess(url, ca_file=trusted)) as client:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.post_form("x", {}, timeout_s=5, at_most=AT_MOST)
        trusted.write_bytes(old[0].read_bytes() + new[0].read_bytes())
        assert (await client.post_form("x", {}, timeout_s=5, at_most=AT_MOST)).status == 200


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    argv = ["openssl", "req", "-x509", *made, "-out", str(certificate), *names]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key

"""Owns the certificates and keys of a test's API server, made by the `openssl` program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration.servers.process import find_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")
CA_EXTENSIONS = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
SERVING_EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "extendedKeyUsage=serverAuth",
)
LOOPBACK = "subjectAltName=IP:127.0.0.1,DNS:localhost"
CLIENT_EXTENSIONS = ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=clientAuth")
FRONT_PROXY = "front-proxy-client"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files in PEM form."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What an API server has: an authority, its own pair, the key of service accounts.

    Beside it stand the front proxy's authority and pair, by which it is known to the servers that it aggregates.
    """

    authority: Pair
    own: Pair
    accounts_key: Path
    proxy_authority: Pair
    proxy: Pair

    def for_service(self, namespace: str, service: str) -> Pair:
        """Make a pair for a Service that leads to an aggregated server."""
        extensions = (*SERVING_EXTENSIONS, f"subjectAltName=DNS:{service}.{namespace}.svc,DNS:localhost")
        return make_pair(self.own.key.parent, f"{service}.{namespace}", self.authority, service, extensions)


def make_certificates(folder: Path) -> Certificates:
    """Make a new authority for 127.0.0.1 and localhost; raises MissingServer without openssl."""
    authority, proxy_authority = make_authority(folder, "ca"), make_authority(folder, "proxy-ca")
    own = make_pair(folder, "serving", authority, "127.0.0.1", (*SERVING_EXTENSIONS, LOOPBACK))
    proxy = make_pair(folder, "proxy", proxy_authority, FRONT_PROXY, CLIENT_EXTENSIONS)
    accounts_key = folder / "accounts.key"
    _openssl("genrsa", "-out", str(accounts_key), "2048")
    return Certificates(authority, own, accounts_key, proxy_authority, proxy)


def make_authority(folder: Path, name: str) -> Pair:
    """Make an authority, in files of this name."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl("req", "-x509", *EC, *_named(f"foresail-test-{name}", pair, CA_EXTENSIONS))
    return pair


def make_pair(folder: Path, name: str, authority: Pair, common_name: str, extensions: Sequence[str]) -> Pair:
    """Make a certificate that the authority signs, in files of this name."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    signed_by = ("-CA", str(authority.certificate), "-CAkey", str(authority.key))
    _openssl("req", "-x509", *EC, *signed_by, *_named(common_name, pair, extensions))
    return pair


def _named(common_name: str, pair: Pair, extensions: Sequence[str]) -> tuple[str, ...]:
    added = [part for extension in extensions for part in ("-addext", extension)]
    return ("-subj", f"/CN={common_name}", "-out", str(pair.certificate), "-keyout", str(pair.key), *added)


def _openssl(*arguments: str) -> None:
    program = find_program("openssl", package="openssl")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"

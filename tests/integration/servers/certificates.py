"""Owns the certificates and keys of a test's API server, made by the `openssl` program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration.servers.process import find_program

if TYPE_CHECKING:
    from pathlib import Path

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")
CA_EXTENSIONS = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
SERVING_EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "extendedKeyUsage=serverAuth",
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM form: an authority, the serving pair that it signed, and the key of service accounts."""

    ca: Path
    serving: Path
    serving_key: Path
    accounts_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make a new authority for 127.0.0.1 and localhost; raises MissingServer without openssl."""
    ca, ca_key = folder / "ca.crt", folder / "ca.key"
    made = Certificates(ca, folder / "serving.crt", folder / "serving.key", folder / "accounts.key")
    _openssl("req", "-x509", *EC, *_named("foresail-test-ca", ca, ca_key, CA_EXTENSIONS))
    signed_by = ("-CA", str(ca), "-CAkey", str(ca_key))
    names = _named("127.0.0.1", made.serving, made.serving_key, SERVING_EXTENSIONS)
    _openssl("req", "-x509", *EC, *signed_by, *names)
    _openssl("genrsa", "-out", str(made.accounts_key), "2048")
    return made


def _named(common_name: str, certificate: Path, key: Path, extensions: tuple[str, ...]) -> tuple[str, ...]:
    added = [part for extension in extensions for part in ("-addext", extension)]
    return ("-subj", f"/CN={common_name}", "-out", str(certificate), "-keyout", str(key), *added)


def _openssl(*arguments: str) -> None:
    program = find_program("openssl", package="openssl")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"

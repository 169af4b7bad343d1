"""Dashboards and rules as files in a folder, for Grafana's and Prometheus' own provisioning, and Prometheus' reload."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import Rejected, Unavailable
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.clients.http import HttpClient

_RECORD = ".foresail-"  # and the target's name: digests of what we wrote; no ending, so that nobody else reads it
_PENDING = "reload"  # in the record, beside the files: Prometheus has still to be told
_RELOAD = "/-/reload"
_RULES = (".yaml", ".yml")
_RELOAD_S = 30.0  # a Prometheus with many rules takes its time
_ANSWER_BYTES = 64 * 1024
_SHOWN = 300


class PublishedFiles:
    """Keeps files of a folder as rendered. Implements `ports.Publisher`.

    A file whose content is not what we wrote last was changed by a person, and is kept; so is one that was there
    before. Files are replaced whole, never half written. A reload that failed is tried again, even after a restart.
    """

    def __init__(
        self, name: str, folder: Path, files: Callable[[], Mapping[str, str]], prometheus: HttpClient | None = None
    ) -> None:
        """Nothing is read yet; `files` renders text by file name, and `prometheus` is told when rules changed."""
        self.name = name
        self._folder, self._files, self._prometheus = folder, files, prometheus
        self._record = folder / f"{_RECORD}{name}"

    async def publish(self, *, write: bool = True, force: bool = False) -> tuple[Publication, ...]:
        """Bring the folder up to date. Raises Unavailable where it cannot be read or written."""
        files = await asyncio.to_thread(self._files)
        try:
            done, pending = await asyncio.to_thread(self._compared, files, write=write, force=force)
        except OSError as error:
            raise Unavailable(f"folder {self._folder}: {error.strerror or error} ({error.filename})") from error
        if self._prometheus is None or not (write and pending):
            return done
        told = await self._reloaded(self._prometheus)
        if told.result == "updated":
            await asyncio.to_thread(self._settle)
        return (*done, told)

    def _compared(self, files: Mapping[str, str], *, write: bool, force: bool) -> tuple[tuple[Publication, ...], bool]:
        """What became of each file, and whether Prometheus has to be told."""
        record = _read_record(self._record)
        done = tuple(
            [self._one(name, text, record, force=force) for name, text in files.items()]
            + [self._obsolete(name, record) for name in sorted(record.keys() - files.keys() - {_PENDING})]
        )
        changed = [each.name for each in done if each.result in ("created", "updated", "deleted")]
        pending = bool(record.get(_PENDING)) or any(name.endswith(_RULES) for name in changed)
        if write:
            self._write(files, done, record, pending=pending)
        return done, pending

    def _one(self, name: str, text: str, record: Mapping[str, str], *, force: bool) -> Publication:
        now, wanted = _digest_of_file(self._folder / name), _digest(text.encode())
        if now == wanted:
            return Publication(name, "unchanged")
        if now is None:
            return Publication(name, "created")
        if now in record.get(name, "").split() or force:
            return Publication(name, "updated")
        why = "was changed since it was published" if name in record else "is there and was not published by Foresail"
        return Publication(name, "kept", f"{self._folder / name} {why}; --force writes over it")

    def _obsolete(self, name: str, record: Mapping[str, str]) -> Publication:
        now = _digest_of_file(self._folder / name)
        if now is None or now in record[name].split():
            return Publication(name, "deleted")
        return Publication(
            name, "kept", f"{self._folder / name} is rendered no more and was changed; delete it by hand"
        )

    def _write(
        self, files: Mapping[str, str], done: tuple[Publication, ...], record: dict[str, str], *, pending: bool
    ) -> None:
        """Write the files. The record first holds what was and what will be: after a crash, both are known as ours."""
        written = {each.name: files[each.name] for each in done if each.result in ("created", "updated")}
        deleted = [each.name for each in done if each.result == "deleted"]
        same = [each.name for each in done if each.result == "unchanged"]
        if not (written or deleted or any(name not in record for name in same)):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if pending and self._prometheus is not None:
            record[_PENDING] = "pending"
        digests = {name: _digest(files[name].encode()) for name in (*written, *same)}
        both = {name: f"{record.get(name, '')} {digest}" for name, digest in digests.items()}
        _write_record(self._record, record | both)
        for name, text in written.items():
            _replace(self._folder / name, text)
        for name in deleted:
            (self._folder / name).unlink(missing_ok=True)
            del record[name]
        _write_record(self._record, record | digests)

    def _settle(self) -> None:
        record = _read_record(self._record)
        if record.pop(_PENDING, None):
            _write_record(self._record, record)

    async def _reloaded(self, prometheus: HttpClient) -> Publication:
        name = f"reload of {prometheus.access.url}"
        try:
            answer = await prometheus.post_bytes(_RELOAD, b"", {}, timeout_s=_RELOAD_S, at_most=_ANSWER_BYTES)
        except TimeoutError:
            return Publication(name, "unavailable", f"Prometheus did not reload within {_RELOAD_S:g} s")
        except Unavailable as error:
            return Publication(name, "unavailable", str(error))
        words = " ".join(answer.body.decode(errors="replace").split())[:_SHOWN]
        if answer.status == HTTPStatus.OK:
            return Publication(name, "updated")
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
            mend = "start Prometheus with --web.enable-lifecycle, or leave publish_reload_url unset"
            return Publication(name, "rejected", f"{words} (HTTP {answer.status}); {mend}")
        refused = "failed to reload config" in words.lower()
        return Publication(name, "rejected" if refused else "unavailable", f"{words} (HTTP {answer.status})")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files over whatever is there, and leave no record: for a folder under version control.

    Raises Rejected where that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _replace(folder / name, text)
    except OSError as error:
        raise Rejected(f"folder {folder}: {error.strerror or error} ({error.filename})") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of_file(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return None


def _read_record(path: Path) -> dict[str, str]:
    """Digests of each file, with blanks between them.

    None where the record is absent or broken: what is there then counts as a person's.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _write_record(path: Path, record: Mapping[str, str]) -> None:
    _replace(path, json.dumps(record, indent=2, sort_keys=True) + "\n")


def _replace(path: Path, text: str) -> None:
    """Put a whole file in the place of another, readable by all; a full disk leaves what was there."""
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=".foresail-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).chmod(0o644)
        Path(made).replace(path)
    except OSError:
        Path(made).unlink(missing_ok=True)
        raise

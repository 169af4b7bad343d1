"""Dashboards in Grafana, through its HTTP API: written when they changed, and never over what a person changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grafana_client.api import AsyncGrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaTimeoutError, TokenAuth
from niquests import RequestException

from controller.clients.http import secret_of
from controller.errors import Conflict, ForesailError, Rejected, Unavailable
from controller.publish.digest import digest_of
from controller.records import Publication

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from dashboards.catalogue import Document

Json = dict[str, Any]

FOLDER_TITLE = "Foresail"
OUR_TAG = "foresail"  # that every dashboard of ours carries
DIGEST_TAG = "gen:"  # before the digest of what was published
_OF_THE_SERVER = ("id", "version")  # set by Grafana in what it serves
_TRIES = 2  # of a dashboard that somebody else writes at the same time
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class GrafanaAccess:
    """How Grafana is reached, and the folder's uid. The token's file is read at every round; no token is shown."""

    url: str
    token_file: Path | None = None
    token: str = field(default="", repr=False)  # where there is no file
    ca_file: Path | None = None
    organization: int | None = None
    folder: str = "foresail"
    timeout_s: float = 10.0

    def connected(self) -> AsyncGrafanaApi:
        """A session with the token of now. Raises Unavailable when there is none to be had."""
        token = secret_of(self.token_file, "Grafana token file") if self.token_file else self.token
        if not token:
            raise Unavailable("Grafana: no token; set grafana_token_file or the variable FORESAIL_GRAFANA_TOKEN")
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        prefix = parts.path.strip("/")
        api = AsyncGrafanaApi(
            TokenAuth(token=token),
            protocol=parts.scheme,
            host=host,
            port=parts.port,
            url_path_prefix=f"{prefix}/" if prefix else "",
            verify=str(self.ca_file) if self.ca_file else True,
            timeout=self.timeout_s,
            organization_id=self.organization,
        )
        api.client.s.trust_env = False  # neither a proxy nor a .netrc of the environment
        return api


class _Standing(Enum):
    OURS = auto()  # as we last saved it
    EDITED = auto()  # ours, and changed since
    FOREIGN = auto()  # never ours
    PROVISIONED = auto()  # from files or a sidecar: it cannot be saved


class GrafanaDashboards:
    """Publishes dashboards by the classic API. Implements `ports.Publisher`.

    What was published is recognised by a tag with its digest. Where the served dashboard does not have that digest,
    because Grafana migrates what it stores, the message of its last version tells whether that save was ours.
    """

    name = "grafana"

    def __init__(self, access: GrafanaAccess, documents: Callable[[], Sequence[Document]]) -> None:
        """Nothing is asked yet; `documents` renders what is to be there."""
        self._access, self._documents = access, documents

    async def publish(self, *, write: bool = True, force: bool = False) -> tuple[Publication, ...]:
        """Bring every dashboard up to date, and delete those of ours that are rendered no more.

        Raises Unavailable where there is no token.
        """
        documents = await asyncio.to_thread(self._documents)
        round_ = _Round(self._access, self._access.connected(), write=write, force=force)
        try:
            return tuple(await round_.all(documents))
        finally:
            session: Any = round_.api.client.s  # typed as the synchronous one
            await session.close()


@dataclass(slots=True)
class _Round:
    """One comparison of all dashboards, with one token."""

    access: GrafanaAccess
    api: AsyncGrafanaApi
    write: bool
    force: bool
    _has_folder: bool = False

    async def all(self, documents: Sequence[Document]) -> list[Publication]:
        """What became of each; a server that fails is not asked on."""
        done: list[Publication] = []
        for document in documents:
            try:
                done.append(await self._settled(document))
            except Unavailable as error:
                return [*done, Publication(document.uid, "unavailable", str(error))]
            except ForesailError as error:
                done.append(Publication(document.uid, _word(error), str(error)))
        return [*done, *await self._without_obsolete({document.uid for document in documents})]

    async def _settled(self, document: Document) -> Publication:
        for _ in range(_TRIES - 1):
            try:
                return await self._one(document)
            except Conflict:
                self._has_folder = False  # it may be what has gone
        return await self._one(document)

    async def _one(self, document: Document) -> Publication:
        digest, found = digest_of(document.body), await self._found(document.uid)
        if found is None:
            if self.write:
                await self._ensure_folder()
                await self._save(document, digest, self.access.folder, version=None)
            return Publication(document.uid, "created")
        standing, body = await self._standing(found), found["dashboard"]
        if standing is _Standing.PROVISIONED:
            raise Rejected(
                f"dashboard {document.uid}: Grafana has it from files or a sidecar, so it cannot be saved; use one"
                " way only"
            )
        if standing is _Standing.OURS and _digest_tag(body) == digest:
            return Publication(document.uid, "unchanged")
        if standing is not _Standing.OURS and not self.force:
            return Publication(document.uid, "kept", _why_kept(standing))
        if self.write:
            folder = found["meta"].get("folderUid") or ""  # where a person moved it, it stays
            await self._save(document, digest, folder, version=body.get("version"))
        return Publication(document.uid, "updated")

    async def _found(self, uid: str) -> Json | None:
        answer = await self._asked(f"dashboard {uid}", self.api.dashboard.get_dashboard(uid), absent_is_none=True)
        if answer is None:
            return None
        match answer:
            case {"dashboard": dict(), "meta": dict()}:
                return dict(answer)
            case _:
                raise Unavailable(f"dashboard {uid}: {self.access.url} answered no dashboard; is that Grafana?")

    async def _standing(self, found: Json) -> _Standing:
        body = found["dashboard"]
        if found["meta"].get("provisioned"):
            return _Standing.PROVISIONED
        tagged = _digest_tag(body)
        if not tagged:
            return _Standing.FOREIGN
        if digest_of(_plain(body)) == tagged or await self._last_message(body["uid"]) == _message(tagged):
            return _Standing.OURS
        return _Standing.EDITED

    async def _last_message(self, uid: str) -> str:
        """What the newest version was saved with; nothing where that cannot be read."""
        asking = self.api.dashboard_versions.get_dashboard_versions_by_uid(uid, limit=1)
        try:
            answer = await self._asked(f"versions of dashboard {uid}", asking)
        except Rejected:
            return ""
        versions = answer.get("versions") if isinstance(answer, dict) else answer  # a list before Grafana 11
        told = [each for each in versions or () if isinstance(each, dict)]
        newest = max(told, key=lambda each: int(each.get("version") or 0), default={})
        return str(newest.get("message") or "")

    async def _save(self, document: Document, digest: str, folder: str, *, version: int | None) -> None:
        tags = [*document.body.get("tags", ()), f"{DIGEST_TAG}{digest}"]
        body = {**document.body, "tags": tags, "id": None} | ({} if version is None else {"version": version})
        asked = {"dashboard": body, "folderUid": folder, "message": _message(digest), "overwrite": self.force}
        await self._asked(f"saving dashboard {document.uid}", self.api.dashboard.update_dashboard(asked))

    async def _ensure_folder(self) -> None:
        uid = self.access.folder
        if self._has_folder or not uid:
            return
        doing = f"folder {uid}"
        if await self._asked(doing, self.api.folder.get_folder(uid), absent_is_none=True) is None:
            await self._asked(f"creating {doing}", self.api.folder.create_folder(FOLDER_TITLE, uid=uid))
        self._has_folder = True

    async def _without_obsolete(self, rendered: set[str]) -> list[Publication]:
        """Delete what carries our mark and is rendered no more, unless a person has changed it."""
        done: list[Publication] = []
        try:
            listed = await self._asked(
                "listing dashboards", self.api.search.search_dashboards(tag=OUR_TAG, type_="dash-db")
            )
            for uid in _published(listed if isinstance(listed, list) else ()):
                if uid not in rendered:
                    done += await self._obsolete(uid)
        except ForesailError as error:
            done.append(Publication("obsolete dashboards", _word(error), str(error)))
        return done

    async def _obsolete(self, uid: str) -> list[Publication]:
        found = await self._found(uid)
        if found is None:
            return []
        if await self._standing(found) is not _Standing.OURS:
            return []  # such as a copy that a person made: it has our mark and another title
        if self.write:
            await self._asked(
                f"deleting dashboard {uid}", self.api.dashboard.delete_dashboard(uid), absent_is_none=True
            )
        return [Publication(uid, "deleted")]

    async def _asked(self, doing: str, asking: Awaitable[Any], *, absent_is_none: bool = False) -> Any:  # noqa: ANN401 - JSON
        """The answer, with every failure named by what to do next."""
        try:
            async with asyncio.timeout(self.access.timeout_s):
                return await asking
        except GrafanaClientError as error:
            if absent_is_none and error.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise _refused(f"Grafana, {doing}", error) from error
        except (TimeoutError, GrafanaTimeoutError) as error:
            raise Unavailable(f"Grafana, {doing}: no answer within {self.access.timeout_s:g} s") from error
        except (GrafanaException, RequestException, OSError) as error:
            raise Unavailable(f"Grafana, {doing}: {_line(error)}") from error


# By status: what to do next, and how it is mended.
_KINDS: dict[int, tuple[type[ForesailError], str]] = {
    HTTPStatus.UNAUTHORIZED: (Unavailable, "; the token is not valid (any more): put a new one in grafana_token_file"),
    HTTPStatus.FORBIDDEN: (Rejected, "; the token's service account needs the role Editor on the folder"),
    HTTPStatus.NOT_FOUND: (Conflict, "; what it belongs to was deleted at the same time"),
    HTTPStatus.REQUEST_TIMEOUT: (Unavailable, ""),
    HTTPStatus.CONFLICT: (Conflict, "; somebody else wrote at the same time"),
    HTTPStatus.PRECONDITION_FAILED: (Conflict, "; somebody else saved it at the same time"),
    HTTPStatus.TOO_MANY_REQUESTS: (Unavailable, ""),
}


def _refused(doing: str, error: GrafanaClientError) -> ForesailError:
    told = f"{doing}: {_line(error)}"
    status = error.response.get("status") if isinstance(error.response, dict) else None
    kind, mend = _KINDS.get(error.status_code, (Rejected, ""))
    if status == "name-exists":
        kind, mend = Rejected, "; rename the other dashboard of this title in the folder"
    if "folder not found" in told.lower():
        kind, mend = _KINDS[HTTPStatus.NOT_FOUND]
    return kind(f"{told}{mend}")


def _word(error: ForesailError) -> str:
    match error:
        case Conflict():
            return "conflict"
        case Unavailable():
            return "unavailable"
        case _:
            return "rejected"


def _published(listed: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(each["uid"]) for each in listed if each.get("uid") and _digest_tag(each)]


def _digest_tag(body: Mapping[str, Any]) -> str:
    tags = [tag for tag in body.get("tags") or () if isinstance(tag, str) and tag.startswith(DIGEST_TAG)]
    return tags[0].removeprefix(DIGEST_TAG) if tags else ""


def _plain(body: Mapping[str, Any]) -> Json:
    """The dashboard as it was rendered: without our mark, and without what the server sets."""
    tags = [tag for tag in body.get("tags") or () if not str(tag).startswith(DIGEST_TAG)]
    return {key: value for key, value in body.items() if key not in _OF_THE_SERVER} | {"tags": tags}


def _message(digest: str) -> str:
    return f"foresail {digest}"


def _why_kept(standing: _Standing) -> str:
    if standing is _Standing.EDITED:
        return "a person changed it since it was published; --force writes over that"
    return "a dashboard of this uid is there and was not published by Foresail; --force writes over it"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE] or type(error).__name__

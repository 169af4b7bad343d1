"""Brings the schema of a journal's database to that of this program, and refuses one from a later program."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from controller.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x466F7265  # any number that means the same to every Foresail on a PostgreSQL server


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction; others wait meanwhile.

    Raises Rejected when the schema is newer than this program, or none that alembic understands.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    with _translated():
        if _present(connection, ScriptDirectory.from_config(config)) != _newest():
            command.upgrade(config, "head")


def check(connection: Connection) -> None:
    """See that the schema is this program's. Raises Rejected when it is older, newer or not there."""
    with _translated():
        present = _present(connection, ScriptDirectory.from_config(_config()))
    if present != _newest():
        raise Rejected(
            f"the journal has schema {present or 'none'}, this Foresail needs {_newest()}: run the daemon once"
        )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise Rejected(
            f"the journal's schema cannot be told: {error}: restore the database, or name another journal_url"
        ) from error


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _present(connection: Connection, script: ScriptDirectory) -> str | None:
    present = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if present is not None and present not in known:
        newest = script.get_current_head()
        raise Rejected(
            f"the journal has schema {present}, newer than {newest} of this Foresail: "
            "run the newer Foresail again, or name another journal_url"
        )
    return present


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config

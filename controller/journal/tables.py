"""The journal's tables. Times are wall time; every key is the writer's, so that a write can be repeated."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData()

FLEETS = Table(
    "fleets",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("fleet", LargeBinary, nullable=False),
    Column("policies", Text, nullable=False),
    Column("version", Text, nullable=False, server_default=""),  # of the Foresail that decided for it
)

TICKS = Table(
    "ticks",
    METADATA,
    Column("at_s", Double, primary_key=True),
    Column("fleet_digest", Text, nullable=False),
    Column("observation", LargeBinary, nullable=False),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("uid", Text, primary_key=True),
    Column("at_s", Double, primary_key=True),
    Column("action", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("target", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Index("decisions_at", "at_s"),
)

INTENTS = Table(
    "intents",
    METADATA,
    Column("at_s", Double, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("resource_version", Text, primary_key=True),
    Column("api_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index("intents_uid", "uid", "at_s"),
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("intent_at_s", Double, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("resource_version", Text, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("result", Text, nullable=False),
    Column("message", Text, nullable=False),
)

INTERVENTIONS = Table(
    "interventions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("at_s", Double, nullable=False),
    Column("uid", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("replicas", BigInteger),
    Column("until_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("interventions_at", "at_s"),
)

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("at_s", Double, primary_key=True),
    Column("fleet_digest", Text, nullable=False),
    Column("core", LargeBinary, nullable=False),
)

SNAPSHOT_BLOCKS = Table(
    "snapshot_blocks",
    METADATA,
    Column("at_s", Double, primary_key=True),
    Column("start_s", BigInteger, primary_key=True),
    Column("digest", Text, nullable=False),
    Index("snapshot_blocks_digest", "digest"),
)

HISTORY_BLOCKS = Table(
    "history_blocks",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("start_s", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("block", LargeBinary, nullable=False),
)

"""The first schema: fleets, ticks, decisions, intents and their outcomes, snapshots and blocks of history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _observed()
    _decided()
    _acted()
    _remembered()


def downgrade() -> None:
    """Remove the tables with all that is in them."""
    for table in (
        *("history_blocks", "snapshot_blocks", "snapshots"),
        *("outcomes", "intents", "decisions", "ticks", "fleets"),
    ):
        op.drop_table(table)


def _observed() -> None:
    op.create_table(
        "fleets",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("fleet", sa.LargeBinary, nullable=False),
        sa.Column("policies", sa.Text, nullable=False),
    )
    op.create_table(
        "ticks",
        sa.Column("at_s", sa.Double, primary_key=True),
        sa.Column("fleet_digest", sa.Text, nullable=False),
        sa.Column("observation", sa.LargeBinary, nullable=False),
    )


def _decided() -> None:
    op.create_table(
        "decisions",
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Double, primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("target", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("steps", sa.Text, nullable=False),
    )
    op.create_index("decisions_at", "decisions", ["at_s"])


def _acted() -> None:
    op.create_table(
        "intents",
        sa.Column("at_s", sa.Double, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("resource_version", sa.Text, primary_key=True),
        sa.Column("api_version", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("intent_at_s", sa.Double, primary_key=True),
        sa.Column("uid", sa.Text, primary_key=True),
        sa.Column("resource_version", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )


def _remembered() -> None:
    op.create_table(
        "snapshots",
        sa.Column("at_s", sa.Double, primary_key=True),
        sa.Column("fleet_digest", sa.Text, nullable=False),
        sa.Column("core", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshot_blocks",
        sa.Column("at_s", sa.Double, primary_key=True),
        sa.Column("start_s", sa.BigInteger, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
    )
    op.create_index("snapshot_blocks_digest", "snapshot_blocks", ["digest"])
    op.create_table(
        "history_blocks",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("start_s", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("block", sa.LargeBinary, nullable=False),
    )

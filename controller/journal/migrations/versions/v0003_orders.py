"""The orders of one workload are found without reading those of all."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index."""
    op.create_index("intents_uid", "intents", ["uid", "at_s"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("intents_uid", "intents")

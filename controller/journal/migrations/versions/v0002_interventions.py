"""What people told Foresail to do: pauses, overrides and their ends."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "interventions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("replicas", sa.BigInteger),
        sa.Column("until_s", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("interventions_at", "interventions", ["at_s"])


def downgrade() -> None:
    """Remove it with all that is in it."""
    op.drop_table("interventions")

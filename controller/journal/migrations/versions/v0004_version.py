"""Each fleet says which Foresail decided for it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the column; of what is there already nobody knows."""
    op.add_column("fleets", sa.Column("version", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("fleets", "version")

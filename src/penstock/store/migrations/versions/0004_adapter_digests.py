"""What an adapter's bytes are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("adapters", sa.Column("digest", sa.String(64)))

"""Models, versions, deployments, adapters, and what is observed of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)


def belongs(column: str, target: str, length: int, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        column,
        sa.String(length),
        sa.ForeignKey(target, ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def upgrade() -> None:
    revisions = op.create_table(
        "revisions",
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(
        revisions,
        [{"subject": subject, "number": 0} for subject in ("keys", "catalogue", "deployments")],
    )
    op.create_table(
        "models",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id")),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("type", sa.String(48), nullable=False),
        sa.Column("current_version", sa.String(64)),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("featured", sa.Boolean, nullable=False),
        sa.Column("context_length", sa.BigInteger),
        sa.Column("max_output_tokens", sa.BigInteger),
        sa.Column("quantisation", sa.String(64)),
        sa.Column("deprecated_at", MOMENT),
        sa.Column("replaced_by", sa.String(128)),
        sa.Column("withdrawn_at", MOMENT),
    )
    op.create_table(
        "versions",
        belongs("model", "models.name", 128, primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("engine", sa.String(32), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("capabilities", sa.JSON),
    )
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String(128), primary_key=True),
        belongs("model", "models.name", 128),
    )
    op.create_index("aliases_by_model", "aliases", ["model"])
    op.create_table(
        "prices",
        belongs("model", "models.name", 128, primary_key=True),
        sa.Column("unit", sa.String(32), primary_key=True),
        sa.Column("usd_nanos", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "adapters",
        belongs("name", "models.name", 128, primary_key=True),
        sa.Column("base", sa.String(128), sa.ForeignKey("models.name"), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id")),
        sa.Column("rank", sa.Integer),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("adapters_by_base", "adapters", ["base"])
    op.create_table(
        "deployments",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(32), sa.ForeignKey("accounts.id")),
        sa.Column("version_id", sa.String(64)),
        sa.Column("fallback_version", sa.String(64)),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("min_instances", sa.Integer, nullable=False),
        sa.Column("max_instances", sa.Integer, nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("idle_stop_s", sa.Float),
        sa.Column("gpu", sa.String(64)),
        sa.Column("num_gpus", sa.Integer, nullable=False),
        sa.Column("max_batch_size", sa.Integer),
    )
    op.create_index("deployments_by_account", "deployments", ["account_id"])
    op.execute(
        "CREATE UNIQUE INDEX deployments_one_of_a_name ON deployments (model) WHERE NOT deleted"
    )
    op.create_table(
        "progress",
        belongs("deployment_id", "deployments.id", 16, primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("percent", sa.Integer),
        sa.Column("fail_reason", sa.Text, nullable=False),
        sa.Column("update_error", sa.Text),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(32), primary_key=True),
        belongs("deployment_id", "deployments.id", 16),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("version_id", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("pid", sa.BigInteger),
        sa.Column("started_at", MOMENT, nullable=False),
    )
    op.create_index("replicas_by_deployment", "replicas", ["deployment_id"])
    row_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "events",
        sa.Column("number", row_number, primary_key=True, autoincrement=True),
        belongs("deployment_id", "deployments.id", 16),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("events_by_deployment", "events", ["deployment_id", "number"])
    op.create_table(
        "file_digests",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mtime_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("inode", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )

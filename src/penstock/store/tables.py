"""The tables."""

from datetime import UTC, datetime

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    event,
)
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()

#: SQLite gives numbers to rows only where the type is called INTEGER.
ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone: what is read is given UTC again."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: Alembic's own: which of the migrations the database has.
ALEMBIC_VERSION = Table(
    "alembic_version",
    METADATA,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("account_id", String(32), ForeignKey("accounts.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
)

#: How often each subject has been written; whoever keeps it in memory looks here for news.
REVISIONS = Table(
    "revisions",
    METADATA,
    Column("subject", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
)

#: `withdrawn_at`: it was declared once and is not now. Its prices and versions wait for its return.
MODELS = Table(
    "models",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("account_id", String(32), ForeignKey("accounts.id")),
    Column("private", Boolean, nullable=False),
    Column("type", String(48), nullable=False),
    Column("current_version", String(64)),
    Column("description", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("family", Text, nullable=False),
    Column("featured", Boolean, nullable=False),
    Column("context_length", BigInteger),
    Column("max_output_tokens", BigInteger),
    Column("quantisation", String(64)),
    Column("deprecated_at", Moment),
    Column("replaced_by", String(128)),
    Column("withdrawn_at", Moment),
)


def _model(column: str = "model", *, primary_key: bool = True) -> Column[str]:
    """The model that a row belongs to, and goes with."""
    key = ForeignKey("models.name", ondelete="CASCADE")
    return Column(column, String(128), key, primary_key=primary_key, nullable=False)


def _deployment(*, primary_key: bool = False) -> Column[str]:
    """The deployment that a row belongs to, and goes with."""
    key = ForeignKey("deployments.id", ondelete="CASCADE")
    return Column("deployment_id", String(16), key, primary_key=primary_key, nullable=False)


#: An id is a digest of contents: two names of the same weights have versions of the same id.
VERSIONS = Table(
    "versions",
    METADATA,
    _model(),
    Column("id", String(64), primary_key=True),
    Column("engine", String(32), nullable=False),
    Column("source", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("capabilities", JSON(none_as_null=True)),
)

ALIASES = Table(
    "aliases",
    METADATA,
    Column("alias", String(128), primary_key=True),
    _model(primary_key=False),
    Index("aliases_by_model", "model"),
)

PRICES = Table(
    "prices",
    METADATA,
    _model(),
    Column("unit", String(32), primary_key=True),
    Column("usd_nanos", BigInteger, nullable=False),
)

#: A LoRA adapter is a model too: `name` is in MODELS.
ADAPTERS = Table(
    "adapters",
    METADATA,
    _model("name"),
    Column("base", String(128), ForeignKey("models.name"), nullable=False),
    Column("source", Text, nullable=False),
    Column("account_id", String(32), ForeignKey("accounts.id")),
    Column("rank", Integer),
    Column("created_at", Moment, nullable=False),
    Column("digest", String(64)),
    Index("adapters_by_base", "base"),
)

#: What is desired. `model` and `version_id` outlive the model: deleted deployments are a record.
DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("model", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("account_id", String(32), ForeignKey("accounts.id")),
    Column("version_id", String(64)),
    Column("fallback_version", String(64)),
    Column("generation", BigInteger, nullable=False),
    Column("min_instances", Integer, nullable=False),
    Column("max_instances", Integer, nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("idle_stop_s", Float),
    Column("gpu", String(64)),
    Column("num_gpus", Integer, nullable=False),
    Column("max_batch_size", Integer),
    Index("deployments_by_account", "account_id"),
)
# In the words of both databases: to let SQLAlchemy spell it would load what speaks PostgreSQL.
event.listen(
    DEPLOYMENTS,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE UNIQUE INDEX deployments_one_of_a_name ON deployments (model) WHERE NOT deleted"
    ),
)

#: The processes that serve, while they do.
SERVERS = Table(
    "servers",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_started_s", Float, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

#: What is observed: of a deployment as a whole, of each of its replicas, and in words.
PROGRESS = Table(
    "progress",
    METADATA,
    _deployment(primary_key=True),
    Column("status", String(16), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("running", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("percent", Integer),
    Column("fail_reason", Text, nullable=False),
    Column("update_error", Text),
)

REPLICAS = Table(
    "replicas",
    METADATA,
    Column("id", String(32), primary_key=True),
    _deployment(),
    Column("server_id", String(32), ForeignKey("servers.id", ondelete="CASCADE"), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("version_id", String(64)),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("restarts", Integer, nullable=False),
    Column("pid", BigInteger),
    Column("memory_bytes", BigInteger, nullable=False),
    Column("started_at", Moment, nullable=False),
    Index("replicas_by_deployment", "deployment_id"),
    Index("replicas_by_server", "server_id"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("number", ROW_NUMBER, primary_key=True, autoincrement=True),
    _deployment(),
    Column("at", Moment, nullable=False),
    Column("level", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Index("events_by_deployment", "deployment_id", "number"),
)

#: Each server's own count of each hour. Models are by name: they may be gone by now.
STATISTICS = Table(
    "statistics",
    METADATA,
    Column("server", String(32), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("operation", String(32), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("at_s", Float, nullable=False),
    Column("figures", Text, nullable=False),
    Index("statistics_by_model", "model", "at_s"),
    Index("statistics_by_age", "at_s"),
)

#: The SHA-256 of local files, so that each is read once: a file that changed has other figures.
#: Several machines may share the database, so a path alone tells nothing.
FILE_DIGESTS = Table(
    "file_digests",
    METADATA,
    Column("path", Text, primary_key=True),
    Column("size_bytes", BigInteger, primary_key=True, autoincrement=False),
    Column("mtime_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("inode", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
)

"""A LoRA adapter: a model of its own name, computed by the replicas of its base."""

import hashlib
from datetime import datetime

import msgspec


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """`base` is the name of the model that it changes; `source` is a file or a repository.

    `digest` is over its bytes, 64 hexadecimal digits; None: it was never read.
    """

    name: str
    base: str
    source: str
    created_at: datetime
    account_id: str | None = None
    rank: int | None = None
    digest: str | None = None


def deployment_of_adapter(name: str) -> str:
    """The id under which an adapter is told among deployments: it has no replicas of its own."""
    return f"a{hashlib.sha256(name.encode()).hexdigest()[:15]}"

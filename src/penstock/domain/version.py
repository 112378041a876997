"""A version of a model: weights, template and settings that change answers, for ever the same."""

from datetime import datetime
from typing import Any

import msgspec

from penstock.domain.model import Capabilities


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is a digest of 64 hexadecimal digits over all that can change an answer.

    `source` is what `domain.source.parse_source` reads, with its revision pinned; `settings` are
    the model's own settings (`config.settings.ModelSettings`, those that were given).
    `capabilities` are known once it has run.
    """

    id: str
    model: str
    engine: str
    source: str
    created_at: datetime
    settings: dict[str, Any] = {}
    capabilities: Capabilities | None = None


def split_version(name: str) -> tuple[str, str | None]:
    """`NAME:VERSION` -> the two; a name without a version has None.

    A hub's name may hold no colon, so the first one ends it.
    """
    model, colon, version = name.partition(":")
    return model, version if colon else None


def fingerprint_of(version_id: str) -> str:
    """What answers carry as `system_fingerprint`."""
    return f"fp_{version_id[:12]}"


def deployment_of_version(version_id: str) -> str:
    """The id of what serves a version that no deployment wants, while somebody asks for it."""
    return f"v{version_id[:15]}"
